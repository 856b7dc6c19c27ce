/** What a model wrote, as Markdown once that part of the page is there, and as it came until then. */
import { Suspense, lazy } from "react";

const Markdown = lazy(() => import("./markdown"));

export function Written({ text }: { text: string }) {
  return (
    <div className="written-text">
      <Suspense fallback={<p className="said-text">{text}</p>}>
        <Markdown text={text} />
      </Suspense>
    </div>
  );
}
