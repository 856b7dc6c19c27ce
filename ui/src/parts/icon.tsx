/** The page's few drawings. They decorate; names for screen readers are on the buttons. */
const PATHS = {
  close: "M6 6l12 12M18 6L6 18",
  swap: "M4 8h15m-4-4l4 4-4 4M20 16H5m4 4l-4-4 4-4",
  copy: "M9 9h10v11H9zM5 15V4h10",
  save: "M12 4v11m-4-4l4 4 4-4M5 20h14",
  book: "M5 5a2 2 0 0 1 2-2h12v15H7a2 2 0 0 0-2 2zM5 20a2 2 0 0 0 2 1h12",
  clock: "M12 7v5l3 2M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18z",
  file: "M7 3h7l4 4v14H7zM14 3v4h4",
  again: "M4 12a8 8 0 0 1 14-5l2 2M20 4v5h-5M20 12a8 8 0 0 1-14 5l-2-2M4 20v-5h5",
  flag: "M6 21V4h11l-2 4 2 4H6",
  keyboard: "M3 6h18v12H3zM7 10h.01M11 10h.01M15 10h.01M7 14h10",
  person: "M12 4a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM4 21c1-5 4-7 8-7s7 2 8 7",
  edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  plus: "M12 5v14M5 12h14",
  menu: "M4 7h16M4 12h16M4 17h16",
  down: "M12 5v14m-6-6l6 6 6-6",
  bin: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  lock: "M6 11h12v9H6zM9 11V8a3 3 0 0 1 6 0v3",
  check: "M5 13l4 4L19 7",
  moon: "M19 14A8 8 0 1 1 10 5a6.5 6.5 0 0 0 9 9z",
} as const;

export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false" className="drawing">
      <path d={PATHS[name]} />
    </svg>
  );
}
