import { hiddenIn } from '../lib/visible.js';

interface Props {
  readonly rows: number;
  /** As a text field has it: what of it was not edited is still sent as it is stored. */
  readonly text: string;
  readonly onText: (text: string) => void;
}

/** Where the body of a message is written. */
export function BodyField({ rows, text, onText }: Props) {
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
      <Hidden text={text} />
    </label>
  );
}

/** What cannot be seen in a text field. */
export function Hidden({ text }: { readonly text: string }) {
  const hidden = hiddenIn(text);
  if (hidden.length === 0) return null;
  return <small class="warn">It has characters that cannot be seen: {hidden.join(' ')}</small>;
}
