/** The list of keys. */
import { Dialog } from "../parts/dialog";
import { useSpeech } from "../words/speak";
import { type Deeds, KEYS } from "./use-shortcuts";

export function KeyboardDialog({ onClose }: { onClose: () => void }) {
  const { words } = useSpeech();
  const deeds = Object.keys(KEYS) as (keyof Deeds)[];
  return (
    <Dialog title={words.keyboard.title} onClose={onClose}>
      <dl className="keys">
        {deeds.map(deed => (
          <div key={deed}>
            <dt>
              {KEYS[deed].map(key => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{words.keyboard[deed]}</dd>
          </div>
        ))}
      </dl>
      <p>{words.keyboard.align}</p>
    </Dialog>
  );
}
