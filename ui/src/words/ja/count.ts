/** How Japanese counts and says how long something takes. */

export const n = (count: number) => count.toLocaleString("ja");

export const duration = (seconds: number) =>
  seconds >= 3600
    ? `${Math.floor(seconds / 3600)} 時間 ${Math.floor((seconds % 3600) / 60)} 分`
    : seconds >= 60
      ? `${Math.floor(seconds / 60)} 分 ${Math.floor(seconds % 60)} 秒`
      : `${Math.ceil(seconds)} 秒`;
