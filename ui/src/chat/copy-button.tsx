/** Copies a text, and says so. */
import { useState } from "react";

import { Icon } from "../parts/icon";
import { useSpeech } from "../words/speak";

export function CopyButton({ text, name, label }: { text: string; name: string; label?: string }) {
  const { words } = useSpeech();
  const [copied, setCopied] = useState<string | null>(null);
  const [refused, setRefused] = useState(false);
  const done = copied === text;
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => {
        setCopied(text);
        setRefused(false);
      },
      () => setRefused(true),
    );
  return (
    <>
      <button
        type="button"
        className={label === undefined ? "quiet icon" : "quiet"}
        aria-label={name}
        title={name}
        onClick={() => void copy()}
      >
        <Icon name={done ? "check" : "copy"} />
        {label}
      </button>
      {done && (
        <span role="status" className="for-ears">
          {words.chat.copied}
        </span>
      )}
      {refused && (
        <span role="alert" className="hint">
          {words.result.copyFailed}
        </span>
      )}
    </>
  );
}
