/** One line over time, with its last and its highest value in words. */
import { useId, useState } from "react";

import { useSpeech } from "../words/speak";

/** Units of the drawing; it stretches to whatever room there is. */
const WIDTH = 300;
const HEIGHT = 72;

/** Time in seconds, value. */
type Place = readonly [number, number];

export function Chart({ name, points }: { name: string; points: readonly Place[] }) {
  const { words, count, clock } = useSpeech();
  const title = useId();
  const [shown, setShown] = useState<Place | null>(null);
  const most = Math.max(...points.map(([, value]) => value));
  const last = points.at(-1)?.[1] ?? 0;
  const line = lineOf(points, most);
  const label = shown === null ? count(last) : `${count(shown[1])} · ${clock(shown[0])}`;
  return (
    <figure className="chart">
      <figcaption>
        <span>{name}</span>
        <strong>{label}</strong>
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-labelledby={title}
        onPointerMove={event => {
          const { left, width } = event.currentTarget.getBoundingClientRect();
          setShown(nearest(points, (event.clientX - left) / width));
        }}
        onPointerLeave={() => setShown(null)}
      >
        <title id={title}>{words.fleet.chart(name, count(last), count(most))}</title>
        <path className="area" d={`${line}V${HEIGHT}H0Z`} />
        <path className="line" d={line} />
      </svg>
      <div className="chart-foot" aria-hidden="true">
        <span>{clock(points[0]?.[0] ?? 0)}</span>
        <span>{count(most)} max</span>
        <span>{clock(points.at(-1)?.[0] ?? 0)}</span>
      </div>
    </figure>
  );
}

/** The path of a line from the first point to the last, the highest at the top. */
export function lineOf(points: readonly Place[], most: number): string {
  const [start = 0, end = 1] = [points[0]?.[0], points.at(-1)?.[0]];
  const x = (at: number) => (end === start ? WIDTH : ((at - start) / (end - start)) * WIDTH);
  const y = (value: number) => HEIGHT - (most === 0 ? 0 : (value / most) * (HEIGHT - 4)) - 1;
  return points
    .map(([at, value], index) => `${index === 0 ? "M" : "L"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`)
    .join("");
}

/** The point nearest to a share (0 to 1) of the time shown. */
export function nearest(points: readonly Place[], share: number): Place | null {
  const [start = 0, end = 0] = [points[0]?.[0], points.at(-1)?.[0]];
  const at = start + share * (end - start);
  return points.reduce<Place | null>(
    (best, point) => (best === null || Math.abs(point[0] - at) < Math.abs(best[0] - at) ? point : best),
    null,
  );
}
