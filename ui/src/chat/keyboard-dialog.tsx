/** The list of keys. */
import { Dialog } from "../parts/dialog";
import { useSpeech } from "../words/speak";
import { KEYS } from "./use-shortcuts";

export function KeyboardDialog({ onClose }: { onClose: () => void }) {
  const { words } = useSpeech();
  const rows = Object.entries(KEYS) as [keyof typeof KEYS, readonly string[]][];
  return (
    <Dialog title={words.chat.keys.title} onClose={onClose}>
      <dl className="keys">
        {rows.map(([deed, keys]) => (
          <div key={deed}>
            <dt>
              {keys.map(key => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{words.chat.keys[deed]}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
