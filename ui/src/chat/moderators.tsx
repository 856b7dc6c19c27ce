/** What everybody who writes here should know: that moderators exist, what they may do, and that it leaves a trace. */
import { Dialog } from "../parts/dialog";
import { useSpeech } from "../words/speak";

export function ModeratorsDialog({ onClose }: { onClose: () => void }) {
  const { words } = useSpeech();
  return (
    <Dialog title={words.chat.moderators} onClose={onClose}>
      <p>{words.chat.moderatorsAbout}</p>
      <p>{words.chat.moderatorsLog}</p>
      <p>{words.chat.moderatorsAsk}</p>
    </Dialog>
  );
}
