// Which jars a program needs, by POMs as Maven Central has them. For 4.4.0, 4.5.2, 4.9.7 and 5.5.0 of Apache RocketMQ the result was the one of Maven.

import { describe, expect, it } from '@jest/globals';
import { resolveJars } from './maven-resolution.js';

/** @param poms by artifact, what is in each */
async function jarsOf(poms: Readonly<Record<string, string>>): Promise<string[]> {
  const jars = await resolveJars(
    [{ groupId: 'g', artifactId: 'app', version: '1' }],
    async ({ artifactId, version }) => {
      const inner = poms[artifactId] ?? '';
      return `<?xml version="1.0"?>\n<!-- a license --><project xmlns="http://maven.apache.org/POM/4.0.0">
      <groupId>g</groupId><artifactId>${artifactId}</artifactId><version>${version}</version>${inner}</project>`;
    },
  );
  return jars
    .map(({ artifactId, version, classifier }) => [artifactId, version, classifier].filter(Boolean).join(' '))
    .sort();
}

const needs = (...dependencies: string[]): string => `<dependencies>${dependencies.join('')}</dependencies>`;
const manages = (...dependencies: string[]): string =>
  `<dependencyManagement>${needs(...dependencies)}</dependencyManagement>`;
const parent = (artifactId: string, version = '1'): string =>
  `<parent><groupId>g</groupId><artifactId>${artifactId}</artifactId><version>${version}</version></parent>`;
const one = (artifactId: string, version?: string, more = ''): string =>
  `<dependency><groupId>g</groupId><artifactId>${artifactId}</artifactId>${
    version === undefined ? '' : `<version>${version}</version>`
  }${more}</dependency>`;

const property = (name: string): string => `\${${name}}`;

describe('the jars of a program', () => {
  it('are those of its dependencies and of what these need', async () => {
    const poms = { app: needs(one('a', '2'), one('b', '3')), a: needs(one('c', '4')) };
    expect(await jarsOf(poms)).toEqual(['a 2', 'app 1', 'b 3', 'c 4']);
  });

  it('have the version that is declared nearest, and first among equals', async () => {
    const poms = {
      app: needs(one('a', '1'), one('b', '1')),
      a: needs(one('x', '9')),
      b: needs(one('x', '8'), one('y', '1')),
      y: needs(one('a', '5')),
    };
    expect(await jarsOf(poms)).toEqual(['a 1', 'app 1', 'b 1', 'x 9', 'y 1']);
  });

  it('leave out what tests, compilers and some programs need only, and what is excluded', async () => {
    const poms = {
      app: needs(
        one(
          'a',
          '1',
          '<exclusions><exclusion><groupId>g</groupId><artifactId>noise</artifactId></exclusion></exclusions>',
        ),
        one('t', '1', '<scope>test</scope>'),
        one('p', '1', '<scope>provided</scope>'),
        one('o', '1', '<optional>true</optional>'),
        one('r', '1', '<scope>runtime</scope>'),
        one(
          'all',
          '1',
          '<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>',
        ),
      ),
      a: needs(one('noise', '1'), one('b', '1')),
      b: needs(one('noise', '1')),
      all: needs(one('z', '1')),
    };
    expect(await jarsOf(poms)).toEqual(['a 1', 'all 1', 'app 1', 'b 1', 'r 1']);
  });

  it('follow parents, properties, management and imported POMs', async () => {
    const poms = {
      app: `${parent('top')}<properties><a.version>3</a.version></properties>${needs(
        one('a', property('a.version')),
        one('same', property('project.version')),
        one('b'),
        one('c', undefined, '<classifier>linux</classifier>'),
      )}`,
      top: `<properties><a.version>1</a.version><b.version>${property('b.major')}.7</b.version><b.major>4</b.major></properties>${manages(
        one('b', property('b.version')),
        one('bom', '5', '<type>pom</type><scope>import</scope>'),
      )}${needs(one('inherited', '1'))}`,
      bom: manages(one('c', '6', '<classifier>linux</classifier>'), one('b', '0')),
    };
    expect(await jarsOf(poms)).toEqual(['a 3', 'app 1', 'b 4.7', 'c 6 linux', 'inherited 1', 'same 1']);
  });

  it('include no file of an artifact that has POMs only', async () => {
    expect(await jarsOf({ app: needs(one('set', '1', '<type>pom</type>')), set: needs(one('a', '1')) })).toEqual([
      'a 1',
      'app 1',
    ]);
  });

  it.each([
    ['has no version', needs(one('a'))],
    ['has a range of versions', needs(one('a', '[1,2)'))],
    ['declares entities', '<!DOCTYPE x>'],
    ['closes', '<dependencies></project>'],
    ['more than 64 levels', '<a>'.repeat(100)],
  ])('cannot be found where a POM %s', async (problem, app) => {
    await expect(jarsOf({ app })).rejects.toThrow(problem);
  });

  it('end where POMs name each other as parents', async () => {
    await expect(jarsOf({ app: parent('app') })).rejects.toThrow('more than 20 parents');
  });
});
