/** Code that a model wrote, with its language and a button that copies it. */
import { useSpeech } from "../words/speak";
import { CopyButton } from "./copy-button";

export function CodeBlock({ code, language }: { code: string; language: string }) {
  const { words } = useSpeech();
  return (
    <figure className="code" dir="ltr">
      <figcaption>
        <span>{language}</span>
        <CopyButton text={code} name={words.chat.copyCode} label={words.chat.copy} />
      </figcaption>
      <pre tabIndex={0}>
        <code>{code}</code>
      </pre>
    </figure>
  );
}
