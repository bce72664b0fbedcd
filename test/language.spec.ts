// Words that read as if they were translated are banned. docs/glossary.md has the terms to use instead.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';

const BANNED =
  /\b(mend(s|ed|ing)?|(come|comes|came) again|brings? it again|ended (well|badly)|hands? back|handed back|comes? (into being|about)|in one go|is none to|who may nothing|a whole number|authorities of this machine|guarded cluster|without a word)\b/i;
/** `tell` as a word, and as a part of an identifier such as `isTold`. */
const TELL = /(?<![A-Za-z])([Tt]ell(s|ing)?|[Tt]old)(?![a-z])|(?<=[a-z])(Tell(s|ing)?|Told)(?![a-z])/;
/** A bound is MAX_ or MIN_, as in the public options. */
const BOUND = /\b(MOST|LONGEST|LARGEST|LEAST|SHORTEST|SMALLEST|FEWEST)(_[A-Z0-9]+)*\b/;
/** Lines that are allowed, because they quote another server or are data of a test. */
const EXCEPTIONS = [/a line that comes again and again/];
const READ = /\.(ts|mts|mjs|js|md|html|json|yaml|yml)$|^\.ci\//;
const LEFT_OUT =
  /(^|\/)package-lock\.json$|^bench\/results\/|^docs\/benchmarks\/.*\.json$|generated\/|^test\/language\.spec\.ts$/;

it('has no line with a banned word', () => {
  const files = execFileSync('git', ['ls-files'], { encoding: 'utf8' }).split('\n');
  const found = files
    .filter((file) => READ.test(file) && !LEFT_OUT.test(file))
    .flatMap((file) =>
      readFileSync(file, 'utf8')
        .split('\n')
        .map((line, index) => ({ at: `${file}:${index + 1}`, line }))
        .filter(
          ({ line }) =>
            [BANNED, TELL, BOUND].some((banned) => banned.test(line)) &&
            !EXCEPTIONS.some((exception) => exception.test(line)),
        )
        .map(({ at, line }) => `${at}: ${line.trim()}`),
    );
  expect(found).toEqual([]);
});
