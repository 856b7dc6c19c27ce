/** A button that puts a text onto the clipboard and says that it did. */
import { useState } from "react";

import { useSpeech } from "../words/speak";

export function CopyButton({ text, children }: { text: string; children: string }) {
  const { words } = useSpeech();
  const [copied, setCopied] = useState<boolean | null>(null);
  const copy = () =>
    void navigator.clipboard.writeText(text).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  return (
    <>
      <button type="button" onClick={copy}>
        {children}
      </button>
      <span role="status">
        {copied === null ? "" : copied ? words.result.copied : words.result.copyFailed}
      </span>
    </>
  );
}
