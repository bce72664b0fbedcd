// Reads what Maven's POM files say about dependencies. An XML reader of its own, for files without entities of their own and namespaces.

const MAX_DEPTH = 64;

/** An element with its text and its children. */
interface Element {
  readonly name: string;
  readonly children: Element[];
  text: string;
}

/** A dependency as a POM declares it; properties are not filled in yet. */
export interface DeclaredDependency {
  readonly groupId: string;
  readonly artifactId: string;
  readonly version: string | undefined;
  readonly type: string;
  readonly classifier: string | undefined;
  readonly scope: string | undefined;
  readonly isOptional: boolean;
  /** `groupId:artifactId`, either of which can be `*`. */
  readonly exclusions: readonly string[];
}

export interface Coordinates {
  readonly groupId: string;
  readonly artifactId: string;
  readonly version: string;
}

/** One file; what its parents say is not included. */
export interface Pom {
  readonly groupId: string | undefined;
  readonly artifactId: string;
  readonly version: string | undefined;
  readonly parent: Coordinates | undefined;
  readonly properties: ReadonlyMap<string, string>;
  readonly managed: readonly DeclaredDependency[];
  readonly dependencies: readonly DeclaredDependency[];
}

/** @throws Error when it is not the XML of a POM */
export function parsePom(xml: string): Pom {
  const project = parseXml(xml);
  if (project.name !== 'project') throw new Error(`it begins with <${project.name}>, not with <project>`);
  const parent = child(project, 'parent');
  const artifactId = textOf(project, 'artifactId');
  if (artifactId === undefined) throw new Error('it has no artifactId');
  return {
    groupId: textOf(project, 'groupId'),
    artifactId,
    version: textOf(project, 'version'),
    parent: parent && {
      groupId: textOf(parent, 'groupId') ?? '',
      artifactId: textOf(parent, 'artifactId') ?? '',
      version: textOf(parent, 'version') ?? '',
    },
    properties: new Map(child(project, 'properties')?.children.map(({ name, text }) => [name, text.trim()])),
    managed: dependenciesIn(child(project, 'dependencyManagement')),
    dependencies: dependenciesIn(project),
  };
}

function dependenciesIn(parent: Element | undefined): DeclaredDependency[] {
  const listed = (parent && child(parent, 'dependencies'))?.children ?? [];
  return listed
    .filter(({ name }) => name === 'dependency')
    .map((one) => ({
      groupId: textOf(one, 'groupId') ?? '',
      artifactId: textOf(one, 'artifactId') ?? '',
      version: textOf(one, 'version'),
      type: textOf(one, 'type') ?? 'jar',
      classifier: textOf(one, 'classifier'),
      scope: textOf(one, 'scope'),
      isOptional: textOf(one, 'optional') === 'true',
      exclusions: (child(one, 'exclusions')?.children ?? []).map(
        (excluded) => `${textOf(excluded, 'groupId') ?? '*'}:${textOf(excluded, 'artifactId') ?? '*'}`,
      ),
    }));
}

function child(parent: Element, name: string): Element | undefined {
  return parent.children.find((one) => one.name === name);
}

/** Undefined also when it is empty. */
function textOf(parent: Element, name: string): string | undefined {
  return child(parent, name)?.text.trim() || undefined;
}

/** @returns the outermost element */
function parseXml(xml: string): Element {
  const root: Element = { name: '', children: [], text: '' };
  const open = [root];
  let at = 0;
  const until = (mark: string): string => {
    const end = xml.indexOf(mark, at);
    if (end === -1) throw new Error(`it ends before "${mark}"`);
    const passed = xml.slice(at, end);
    at = end + mark.length;
    return passed;
  };
  while (at < xml.length) {
    const current = open.at(-1) ?? root;
    if (xml.startsWith('<!--', at)) until('-->');
    else if (xml.startsWith('<![CDATA[', at)) {
      at += '<![CDATA['.length;
      current.text += until(']]>');
    } else if (xml.startsWith('<?', at)) until('?>');
    else if (xml.startsWith('<!', at)) throw new Error('it declares entities or a document type');
    else if (xml.startsWith('</', at)) {
      at += 2;
      const name = until('>').trim();
      if (name !== current.name) throw new Error(`</${name}> closes <${current.name}>`);
      open.pop();
    } else if (xml[at] === '<') {
      at += 1;
      const tag = until('>');
      const [name = ''] = tag.split(/[\s/]/, 1);
      const element: Element = { name, children: [], text: '' };
      current.children.push(element);
      if (tag.endsWith('/')) continue;
      open.push(element);
      if (open.length > MAX_DEPTH) throw new Error(`it is nested more than ${MAX_DEPTH} levels deep`);
    } else {
      const end = xml.indexOf('<', at);
      current.text += unescaped(xml.slice(at, end === -1 ? xml.length : end));
      at = end === -1 ? xml.length : end;
    }
  }
  const [project] = root.children;
  if (open.length > 1 || project === undefined) throw new Error('it is not complete');
  return project;
}

function unescaped(text: string): string {
  const known = { '&lt;': '<', '&gt;': '>', '&quot;': '"', '&apos;': "'", '&amp;': '&' } as const;
  return text.replace(/&(?:lt|gt|quot|apos|amp);/g, (entity) => known[entity as keyof typeof known]);
}
