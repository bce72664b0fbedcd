import { hiddenIn } from '../lib/visible.js';

interface Props {
  readonly rows: number;
  /** As a text field has it: what of it was not edited is still sent as it is stored. */
  readonly text: string;
  readonly onText: (text: string) => void;
}

/** Where the body of a message is written. A text field cannot mark what is invisible, so it is listed below. */
export function BodyField({ rows, text, onText }: Props) {
  const hidden = hiddenIn(text);
  return (
    <label class="field wide">
      <span>Body</span>
      <textarea
        class="mono"
        rows={rows}
        spellcheck={false}
        value={text}
        onInput={({ currentTarget }) => onText(currentTarget.value)}
      />
      {hidden.length > 0 && <small class="warn">It has characters that cannot be seen: {hidden.join(' ')}</small>}
    </label>
  );
}
