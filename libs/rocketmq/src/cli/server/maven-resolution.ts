// Finds the jars that a program needs at run time, as Maven does: of several versions the one that is declared nearest to the program, and
// among those the first. Profiles of POMs and ranges of versions are not supported; no release of Apache RocketMQ needs them.

import { type Coordinates, type DeclaredDependency, type Pom, parsePom } from './maven-pom.js';

/** A file in a Maven repository. */
export interface Artifact extends Coordinates {
  readonly classifier: string | undefined;
}

/** Reads the POM of an artifact. */
type ReadPom = (coordinates: Coordinates) => Promise<string>;

const MAX_ARTIFACTS = 2_000;
const MAX_PARENTS = 20;
const MAX_FILLS = 20;
/** What a program has at run time of what its dependencies depend on. */
const SCOPES: ReadonlySet<string> = new Set(['compile', 'runtime']);
/** Types of dependencies whose file is a jar. */
const JARS: ReadonlySet<string> = new Set(['jar', 'bundle', 'test-jar', 'ejb', 'maven-plugin']);

/** A POM with what its parents and the imported POMs say. */
interface Model {
  readonly dependencies: readonly DeclaredDependency[];
  readonly managed: ReadonlyMap<string, DeclaredDependency>;
}

interface Node {
  readonly artifact: Artifact;
  readonly hasJar: boolean;
  /** Of the declarations that lead here. */
  readonly exclusions: readonly string[];
}

/**
 * The jars of the given artifacts and of what they need.
 * @throws Error when a POM cannot be read, or needs what is not supported
 */
export async function resolveJars(roots: readonly Coordinates[], read: ReadPom): Promise<Artifact[]> {
  const poms = new Poms(read);
  const found = new Map<string, Node>();
  let level = roots.map((artifact): Node => {
    return { artifact: { ...artifact, classifier: undefined }, hasJar: true, exclusions: [] };
  });
  while (level.length > 0) {
    const fresh = level.filter((node) => {
      const key = keyOf(node.artifact);
      if (found.has(key)) return false;
      found.set(key, node);
      return true;
    });
    if (found.size > MAX_ARTIFACTS) throw new Error(`it needs more than ${MAX_ARTIFACTS} artifacts`);
    level = (await Promise.all(fresh.map((node) => needsOf(node, poms)))).flat();
  }
  return [...found.values()].filter(({ hasJar }) => hasJar).map(({ artifact }) => artifact);
}

function keyOf({ groupId, artifactId, classifier }: Omit<Artifact, 'version'>): string {
  return `${groupId}:${artifactId}:${classifier ?? ''}`;
}

async function needsOf({ artifact, exclusions }: Node, poms: Poms): Promise<Node[]> {
  const { dependencies, managed } = await poms.model(artifact);
  return dependencies.flatMap((declared) => {
    const ruled = managed.get(managementKey(declared));
    const { groupId, artifactId, classifier, type } = declared;
    const scope = declared.scope ?? ruled?.scope ?? 'compile';
    if (declared.isOptional || !SCOPES.has(scope) || isExcluded(declared, exclusions)) return [];
    const version = exactVersion(declared.version ?? ruled?.version, declared, artifact);
    return {
      artifact: {
        groupId,
        artifactId,
        version,
        classifier: type === 'test-jar' ? (classifier ?? 'tests') : classifier,
      },
      hasJar: JARS.has(type),
      exclusions: [...exclusions, ...declared.exclusions, ...(ruled?.exclusions ?? [])],
    };
  });
}

function isExcluded({ groupId, artifactId }: DeclaredDependency, exclusions: readonly string[]): boolean {
  return [groupId, '*'].some((group) => [artifactId, '*'].some((name) => exclusions.includes(`${group}:${name}`)));
}

function exactVersion(version: string | undefined, of: DeclaredDependency, neededBy: Artifact): string {
  const what = `${of.groupId}:${of.artifactId}, which ${neededBy.groupId}:${neededBy.artifactId}:${neededBy.version} needs,`;
  if (version === undefined) throw new Error(`${what} has no version`);
  const exact = /^\[([^,\]]+)\]$/.exec(version)?.[1] ?? version;
  if (/[[\](),]/.test(exact)) throw new Error(`${what} has a range of versions: ${version}`);
  return exact;
}

function managementKey({ groupId, artifactId, type, classifier }: DeclaredDependency): string {
  return `${groupId}:${artifactId}:${type}:${classifier ?? ''}`;
}

/** The POMs of one resolution, each read once. */
class Poms {
  private readonly files = new Map<string, Promise<Pom>>();
  private readonly models = new Map<string, Promise<Model>>();

  constructor(private readonly read: ReadPom) {}

  model(artifact: Coordinates): Promise<Model> {
    return once(this.models, nameOf(artifact), () => this.built(artifact, 0));
  }

  /** @param depth of POMs that import each other */
  private async built(artifact: Coordinates, depth: number): Promise<Model> {
    if (depth > MAX_PARENTS) throw new Error(`${nameOf(artifact)} imports POMs more than ${MAX_PARENTS} levels deep`);
    const line = await this.lineage(artifact);
    const fill = filler(line, artifact);
    // The nearest declaration of a dependency is the one that counts.
    const dependencies = new Map<string, DeclaredDependency>();
    const managed = new Map<string, DeclaredDependency>();
    const imports: DeclaredDependency[] = [];
    for (const pom of line) {
      for (const one of pom.managed.map(fill)) {
        if (one.type === 'pom' && one.scope === 'import') imports.push(one);
        else addNew(managed, one);
      }
      for (const one of pom.dependencies.map(fill)) addNew(dependencies, one);
    }
    for (const { groupId, artifactId, version = '' } of imports) {
      const imported = await this.built({ groupId, artifactId, version }, depth + 1);
      for (const one of imported.managed.values()) addNew(managed, one);
    }
    return { dependencies: [...dependencies.values()], managed };
  }

  /** The POM, its parent, the parent of that, and so on. */
  private async lineage(artifact: Coordinates): Promise<Pom[]> {
    const line: Pom[] = [];
    for (let next: Coordinates | undefined = artifact; next !== undefined; next = line.at(-1)?.parent) {
      if (line.length > MAX_PARENTS) throw new Error(`${nameOf(artifact)} has more than ${MAX_PARENTS} parents`);
      line.push(await this.file(next));
    }
    return line;
  }

  private file(artifact: Coordinates): Promise<Pom> {
    return once(this.files, nameOf(artifact), async () => {
      const xml = await this.read(artifact);
      try {
        return parsePom(xml);
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`the POM of ${nameOf(artifact)} cannot be read: ${why}`, { cause });
      }
    });
  }
}

function addNew(all: Map<string, DeclaredDependency>, one: DeclaredDependency): void {
  const key = managementKey(one);
  if (!all.has(key)) all.set(key, one);
}

function once<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const made = known.get(key) ?? make();
  known.set(key, made);
  return made;
}

export function nameOf({ groupId, artifactId, version }: Coordinates): string {
  return `${groupId}:${artifactId}:${version}`;
}

/** Fills the properties in, which each POM can set for its parents. */
function filler(line: readonly Pom[], own: Coordinates): (declared: DeclaredDependency) => DeclaredDependency {
  const properties = new Map<string, string>();
  for (const pom of [...line].reverse()) for (const [name, value] of pom.properties) properties.set(name, value);
  const { groupId, artifactId, version } = own;
  for (const [name, value] of Object.entries({ groupId, artifactId, version })) {
    for (const prefix of ['project.', 'pom.', '']) properties.set(prefix + name, value);
  }
  for (const [name, value] of Object.entries(line[0]?.parent ?? {})) properties.set(`project.parent.${name}`, value);
  const filled = (text: string): string => {
    let current = text;
    for (let step = 0; current.includes('${') && step < MAX_FILLS; step++) {
      const next = current.replace(/\$\{([^${}]+)\}/g, (whole, name: string) => properties.get(name) ?? whole);
      if (next === current) break;
      current = next;
    }
    return current;
  };
  return (declared) => ({
    ...declared,
    groupId: filled(declared.groupId),
    artifactId: filled(declared.artifactId),
    version: declared.version && filled(declared.version),
    classifier: declared.classifier && filled(declared.classifier),
    scope: declared.scope && filled(declared.scope),
    exclusions: declared.exclusions.map(filled),
  });
}
