// Reads the instructions of a Dockerfile that `npm run check dockerfile` can replay, and rejects all others. Replaying them is
// dockerfile-replay.ts.

/** One instruction. */
type Instruction =
  | { kind: 'workdir'; path: string }
  | { kind: 'copy'; from: string | undefined; sources: string[]; target: string }
  | { kind: 'run'; command: string }
  | { kind: 'env'; name: string; value: string }
  | { kind: 'user'; name: string }
  | { kind: 'expose'; ports: string }
  | { kind: 'cmd'; args: string[] };

/** From one FROM to the next. */
export interface Stage {
  name: string | undefined;
  image: string;
  instructions: Instruction[];
}

class DockerfileError extends Error {
  override readonly name = 'DockerfileError';

  constructor(line: number, text: string) {
    super(`Dockerfile, line ${line}: ${text}`);
  }
}

/** @throws DockerfileError for what is not understood, with its line */
export function parseDockerfile(text: string): Stage[] {
  const stages: Stage[] = [];
  for (const { line, word, rest } of instructionsIn(text)) {
    if (word === 'FROM') {
      stages.push(stageOf(line, rest));
      continue;
    }
    const stage = stages.at(-1);
    if (stage === undefined) throw new DockerfileError(line, `${word} before the first FROM`);
    const known = stages.slice(0, -1).map(({ name }) => name);
    stage.instructions.push(instructionOf(line, word, rest, known));
  }
  if (stages.length === 0) throw new DockerfileError(1, 'it has no FROM');
  return stages;
}

/** Lines without comments, with continued ones put together. */
function* instructionsIn(text: string) {
  let begun = '';
  let line = 0;
  for (const [index, raw] of text.split('\n').entries()) {
    if (/^\s*#/.test(raw) || raw.trim() === '') continue;
    if (begun === '') line = index + 1;
    begun += raw.trim();
    if (begun.endsWith('\\')) {
      begun = `${begun.slice(0, -1)} `;
      continue;
    }
    const [, word = '', rest = ''] = /^(\S+)\s*(.*)$/.exec(begun) ?? [];
    yield { line, word: word.toUpperCase(), rest };
    begun = '';
  }
  if (begun !== '') throw new DockerfileError(line, 'it ends inside of an instruction');
}

function stageOf(line: number, rest: string): Stage {
  const [, image, name] = /^(\S+)(?:\s+AS\s+(\S+))?$/i.exec(rest) ?? [];
  if (image === undefined || image.startsWith('-')) throw new DockerfileError(line, `cannot replay FROM ${rest}`);
  if (!/:[\w.-]*\d/.test(image)) throw new DockerfileError(line, `${image} is an image without a version`);
  return { name, image, instructions: [] };
}

/** @param known names of stages */
function instructionOf(line: number, word: string, rest: string, known: readonly (string | undefined)[]): Instruction {
  switch (word) {
    case 'WORKDIR':
      if (!rest.startsWith('/')) throw new DockerfileError(line, 'WORKDIR must be absolute');
      return { kind: 'workdir', path: rest };
    case 'COPY':
      return copyOf(line, rest, known);
    case 'RUN':
      // A path from the root would be one of this machine.
      if (/^[[<-]/.test(rest) || /(^|\s)["']?\//.test(rest))
        throw new DockerfileError(line, `cannot replay RUN ${rest}`);
      return { kind: 'run', command: rest };
    case 'ENV':
      return envOf(line, rest);
    case 'USER':
      return { kind: 'user', name: rest };
    case 'EXPOSE':
      return { kind: 'expose', ports: rest };
    case 'CMD':
      return { kind: 'cmd', args: listOf(line, rest) };
    default:
      throw new DockerfileError(line, `cannot replay ${word}`);
  }
}

function copyOf(line: number, rest: string, known: readonly (string | undefined)[]): Instruction {
  const words = rest.split(/\s+/);
  const [, from] = /^--from=(\S+)$/.exec(words[0] ?? '') ?? [];
  if (from !== undefined) words.shift();
  const target = words.pop();
  if (target === undefined || words.length === 0) throw new DockerfileError(line, 'COPY needs a source and a target');
  if (words.some((one) => /^--|[*?[<"]/.test(one))) throw new DockerfileError(line, `cannot replay COPY ${rest}`);
  if (from !== undefined && !known.includes(from)) throw new DockerfileError(line, `there is no stage ${from}`);
  return { kind: 'copy', from, sources: words, target };
}

function envOf(line: number, rest: string): Instruction {
  const [, name, value] = /^(\w+)=([^\s"'$]*)$/.exec(rest) ?? [];
  if (name === undefined || value === undefined) throw new DockerfileError(line, `cannot replay ENV ${rest}`);
  return { kind: 'env', name, value };
}

function listOf(line: number, rest: string): string[] {
  try {
    const list = JSON.parse(rest);
    if (Array.isArray(list) && list.every((one) => typeof one === 'string') && list.length > 0) return list;
  } catch {
    // Reported below.
  }
  throw new DockerfileError(line, `CMD must be a list of strings in JSON, not ${rest}`);
}
