import { describe, expect, it } from '@jest/globals';
import typescript from 'typescript';
import { addToModule, type ModuleAddition } from './module-edit.js';

const LISTENER: ModuleAddition = {
  list: 'providers',
  element: 'MailListener',
  symbol: 'MailListener',
  from: './mail.listener',
};
const MODULE: ModuleAddition = {
  list: 'imports',
  element: "RocketMQModule.forRoot({\n  endpoints: 'embedded:',\n})",
  symbol: 'RocketMQModule',
  from: 'nestjs-rocketmq',
};
const IMPORT = "import { Module } from '@nestjs/common';\n";

/** The object of `@Module()` after the addition; it is exported in a file of its own. */
function objectAfter(object: string, addition: ModuleAddition): string {
  const edit = addToModule(typescript, `${IMPORT}\n@Module(${object})\nexport class AppModule {}\n`, addition);
  if (edit.kind !== 'changed') throw new Error(`${edit.kind}`);
  return edit.text.slice(edit.text.indexOf('@Module(') + '@Module('.length, edit.text.indexOf(')\nexport class'));
}

describe('a provider is added', () => {
  it.each([
    ['{}', '{\n  providers: [MailListener],\n}'],
    ['{ controllers: [A] }', '{\n  providers: [MailListener],\n  controllers: [A] }'],
    ['{\n  controllers: [A],\n}', '{\n  providers: [MailListener],\n  controllers: [A],\n}'],
    ['{\n  providers: [],\n}', '{\n  providers: [MailListener],\n}'],
    ['{\n  providers: [A],\n}', '{\n  providers: [A, MailListener],\n}'],
    ['{\n  providers: [A,],\n}', '{\n  providers: [A, MailListener],\n}'],
    ["{\n  'providers': [A],\n}", "{\n  'providers': [A, MailListener],\n}"],
    ['{\n  providers: [\n    A,\n    B,\n  ],\n}', '{\n  providers: [\n    A,\n    B,\n    MailListener,\n  ],\n}'],
    ['{\n  providers: [\n    A,\n    B\n  ]\n}', '{\n  providers: [\n    A,\n    B,\n    MailListener\n  ]\n}'],
    [
      '{\n  providers: [\n    A, // first\n    B, // last\n  ],\n}',
      '{\n  providers: [\n    A, // first\n    B, // last\n    MailListener,\n  ],\n}',
    ],
    [
      '{\n  providers: [\n    A /* first, second */,\n  ],\n}',
      '{\n  providers: [\n    A /* first, second */,\n    MailListener,\n  ],\n}',
    ],
    [
      '{\n  providers: [\n    A // one, two\n    ,\n  ],\n}',
      '{\n  providers: [\n    A // one, two\n    ,\n    MailListener,\n  ],\n}',
    ],
    ['{\n  providers: [\n    // none yet\n  ],\n}', '{\n  providers: [\n    MailListener,\n    // none yet\n  ],\n}'],
    ['{\n  providers: [A /* why */, B],\n}', '{\n  providers: [A /* why */, B, MailListener],\n}'],
    ['{\n  providers: [A /* keep */],\n}', '{\n  providers: [A /* keep */, MailListener],\n}'],
    ['{\n  providers: [A, /* keep */],\n}', '{\n  providers: [A, /* keep */ MailListener],\n}'],
    ['{\n  providers: [/* keep */],\n}', '{\n  providers: [/* keep */ MailListener],\n}'],
    ['{ /* keep me */ controllers: [] }', '{\n  providers: [MailListener],\n  /* keep me */ controllers: [] }'],
    ['{ /* keep me */ }', '{\n  providers: [MailListener],\n  /* keep me */ }'],
    ['{ // keep me\n  controllers: [],\n}', '{ // keep me\n  providers: [MailListener],\n  controllers: [],\n}'],
    ['{\n\tproviders: [\n\t\tA,\n\t],\n}', '{\n\tproviders: [\n\t\tA,\n\t\tMailListener,\n\t],\n}'],
  ])('to %j', (before, after) => {
    expect(objectAfter(before, LISTENER)).toBe(after);
  });

  it('with one element in a line where a line would be too long', () => {
    const names = ['AnythingButAShortNameListener', 'AnotherNameThatIsNotShortEither'];
    const after = objectAfter(`{\n  providers: [${names.join(', ')}],\n}`, LISTENER);
    expect(after).toBe(`{\n  providers: [\n    ${names.join(',\n    ')},\n    MailListener,\n  ],\n}`);
  });
});

describe('the module is added', () => {
  it.each([
    ['{}', "{\n  imports: [\n    RocketMQModule.forRoot({\n      endpoints: 'embedded:',\n    }),\n  ],\n}"],
    [
      '{\n  imports: [A],\n}',
      "{\n  imports: [\n    A,\n    RocketMQModule.forRoot({\n      endpoints: 'embedded:',\n    }),\n  ],\n}",
    ],
    [
      '{\n    imports: [],\n}',
      "{\n    imports: [\n        RocketMQModule.forRoot({\n            endpoints: 'embedded:',\n        }),\n    ],\n}",
    ],
  ])('to %j', (before, after) => {
    expect(objectAfter(before, MODULE)).toBe(after);
  });

  it('in the style of the file: quotes, no semicolons, line ends', () => {
    const before =
      'import { Module } from "@nestjs/common"\r\nimport { A } from "./a"\r\n\r\n@Module({\r\n  imports: [],\r\n})\r\nclass M {}\r\n';
    const edit = addToModule(typescript, before, MODULE);
    expect(edit).toEqual({
      kind: 'changed',
      text: 'import { Module } from "@nestjs/common"\r\nimport { RocketMQModule } from "nestjs-rocketmq"\r\nimport { A } from "./a"\r\n\r\n@Module({\r\n  imports: [\r\n    RocketMQModule.forRoot({\r\n      endpoints: "embedded:",\r\n    }),\r\n  ],\r\n})\r\nclass M {}\r\n',
    });
  });

  it('with the import that is there, or beside its names', () => {
    const object = '\n@Module({ imports: [] })\nclass M {}\n';
    const of = (line: string): string => {
      const edit = addToModule(typescript, IMPORT + line + object, MODULE);
      return edit.kind === 'changed' ? edit.text.slice(IMPORT.length, edit.text.indexOf('\n@Module')) : edit.kind;
    };
    expect(of("import { RocketMQModule } from 'nestjs-rocketmq';\n")).toBe(
      "import { RocketMQModule } from 'nestjs-rocketmq';\n",
    );
    expect(of("import { defineTopic } from 'nestjs-rocketmq';\n")).toBe(
      "import { defineTopic, RocketMQModule } from 'nestjs-rocketmq';\n",
    );
    const rule = '// eslint-disable-line';
    expect(of(`import { RocketMQEvents } from 'x'; ${rule}\n`)).toBe(
      `import { RocketMQEvents } from 'x'; ${rule}\nimport { RocketMQModule } from 'nestjs-rocketmq';\n`,
    );
    expect(of("import type { BodyOf } from 'nestjs-rocketmq';\n")).toBe(
      "import type { BodyOf } from 'nestjs-rocketmq';\nimport { RocketMQModule } from 'nestjs-rocketmq';\n",
    );
  });
});

describe('nothing is changed', () => {
  const of = (object: string, addition = MODULE) =>
    addToModule(typescript, `${IMPORT}@Module(${object})\nclass M {}\n`, addition);

  it.each(['RocketMQModule.forRoot({})', 'RocketMQModule.forRootAsync({}).x()', 'RocketMQModule'])(
    'where %s is there',
    (element) => {
      expect(of(`{ imports: [A, ${element}] }`)).toEqual({ kind: 'unchanged' });
    },
  );

  it.each([
    ['options', 'no class with @Module({ … })'],
    ['{ imports }', '"imports" is not a list in brackets'],
    ['{ imports: [A].concat(B) }', '"imports" is not a list in brackets'],
    ['{ imports: modules }', '"imports" is not a list in brackets'],
    ["{ ['imports']: [A] }", '"imports" is not a list in brackets'],
    ['{ ...shared }', '"imports" is not a list in brackets'],
  ])('in @Module(%s)', (object, problem) => {
    expect(of(object)).toEqual({ kind: 'not-understood', problem: expect.stringContaining(problem) });
  });

  it.each([
    ["import { RocketMQModule } from './other';", "it imports another RocketMQModule from './other'"],
    ["import RocketMQModule from 'other';", "it imports another RocketMQModule from 'other'"],
    ["import { Other as RocketMQModule } from 'other';", "it imports another RocketMQModule from 'other'"],
    ["import type { RocketMQModule } from 'nestjs-rocketmq';", 'it imports RocketMQModule only as a type'],
    ["import { type RocketMQModule } from 'nestjs-rocketmq';", 'it imports RocketMQModule only as a type'],
  ])('in a file with %s', (line, text) => {
    const edit = addToModule(typescript, `${IMPORT}${line}\n@Module({ imports: [] })\nclass M {}\n`, MODULE);
    expect(edit).toEqual({ kind: 'not-understood', problem: text });
  });

  it('in a file with a syntax error', () => {
    expect(of('{ imports: [] })\nclass M { x = ; }\nclass N {}\nvoid (0')).toEqual({
      kind: 'not-understood',
      problem: 'its syntax has an error',
    });
  });

  it('in a file with two modules', () => {
    expect(of('{})\nclass N {}\n@Module({}')).toMatchObject({ problem: expect.stringContaining('several') });
  });
});
