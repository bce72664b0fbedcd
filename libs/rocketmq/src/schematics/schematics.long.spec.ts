// The schematics on files in memory. checks/pack runs them by the Nest CLI.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { MemoryTree, RecordingContext } from '../../../../test/fixtures/memory-tree.js';
import { type AddOptions, add } from './add.js';
import { type ListenerOptions, listener } from './listener.js';
import { type TopicOptions, topic } from './topic.js';
import '../../schematics/files/listener-alone.spec.js';
import '../../schematics/files/moved-time.spec.js';

const APP_MODULE = `import { Module } from '@nestjs/common';
import { AppService } from './app.service';

@Module({
  imports: [],
  providers: [AppService],
})
export class AppModule {}
`;
const MAIN = `import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module';

async function bootstrap() {
  const app = await NestFactory.create(AppModule);
  await app.listen(3000);
}
void bootstrap();
`;

function scaffold(more: Record<string, string> = {}, json: object = {}): MemoryTree {
  const dependencies = { '@nestjs/common': '^11.0.1', '@nestjs/core': '^11.0.1', rxjs: '^7.8.1' };
  return new MemoryTree({
    'package.json': `${JSON.stringify({ name: 'shop', dependencies, ...json }, undefined, 4)}\n`,
    'src/app.module.ts': APP_MODULE,
    'src/main.ts': MAIN,
    ...more,
  });
}

async function added(tree: MemoryTree, options: AddOptions = {}): Promise<RecordingContext> {
  const context = new RecordingContext();
  await add(options)(tree, context);
  return context;
}

async function withListener(tree: MemoryTree, options: ListenerOptions): Promise<RecordingContext> {
  const context = new RecordingContext();
  await listener(options)(tree, context);
  return context;
}

const withTopic = (tree: MemoryTree, options: TopicOptions) => topic(options)(tree, new RecordingContext());
const dependenciesOf = (tree: MemoryTree) => JSON.parse(tree.read('package.json') ?? '').dependencies;

describe('nest add', () => {
  it('adds the module, a topic, a listener, a test, a server and packages', async () => {
    const tree = scaffold();
    const context = await added(tree);
    expect(tree.read('src/app.module.ts')).toBe(`import { Module } from '@nestjs/common';
import { RocketMQModule } from 'nestjs-rocketmq';
import { AppService } from './app.service';
import { ReminderController } from './reminder/reminder.controller';
import { ReminderListener } from './reminder/reminder.listener';

@Module({
  controllers: [ReminderController],
  imports: [
    RocketMQModule.forRoot({
      endpoints: process.env.ROCKETMQ_ENDPOINTS ?? 'embedded:',
    }),
  ],
  providers: [AppService, ReminderListener],
})
export class AppModule {}
`);
    expect(Object.keys(tree.all()).sort()).toEqual([
      'compose.rocketmq.yaml',
      'package.json',
      'src/app.module.ts',
      'src/main.ts',
      'src/reminder/reminder.controller.ts',
      'src/reminder/reminder.listener.spec.ts',
      'src/reminder/reminder.listener.ts',
      'src/reminder/reminder.topic.ts',
    ]);
    expect(dependenciesOf(tree)).toMatchObject({
      '@nestjs/microservices': '^11.0.0',
      'nestjs-rocketmq': expect.stringMatching(/^\^\d/),
    });
    expect(tree.read('package.json')).toContain('\n    "dependencies"');
    expect(context.tasks).toEqual(['node-package']);
    // Not everyone has the Nest CLI installed globally.
    expect(context.lines.join('\n')).toContain('npx nest g -c nestjs-rocketmq listener order-placed');
  });

  it('imports files with .js in ES modules only, and takes the functions of the test runner: globals of Jest, or a package', async () => {
    const spec = 'src/reminder/reminder.listener.spec.ts';
    const [commonJs, esm] = [scaffold(), scaffold({}, { type: 'module', devDependencies: { vitest: '^4.0.0' } })];
    await Promise.all([added(commonJs), added(esm)]);
    expect(commonJs.read(spec)).toContain("from './reminder.listener';");
    expect(esm.read(spec)).toContain("from './reminder.listener.js';");
    expect(esm.read('src/app.module.ts')).toContain("from './reminder/reminder.listener.js';");
    expect(commonJs.read(spec)).not.toMatch(/jest|vitest/);
    expect(esm.read(spec)).toContain("import { expect, it } from 'vitest';");
  });

  it('changes nothing the second time, nor when the sample was deleted', async () => {
    const tree = scaffold();
    await added(tree);
    const first = tree.all();
    const context = await added(tree);
    expect(tree.all()).toEqual(first);
    expect(context.tasks).toEqual([]);
    const { 'src/reminder/reminder.listener.ts': _, ...others } = first;
    const module = (first['src/app.module.ts'] ?? '').replace(/.*ReminderListener } from.*\n|, ReminderListener/g, '');
    const without = new MemoryTree({ ...others, 'src/app.module.ts': module });
    const before = without.all();
    await added(without);
    expect(without.all()).toEqual(before);
  });

  it('takes neither a comment nor a test for a configured module', async () => {
    const configuring = "const text = 'RocketMQModule.forRoot()';\nRocketMQModule.forRoot({ endpoints: 'a:1' });\n";
    const tree = scaffold({
      'src/notes.ts': "// Later: RocketMQModule.forRoot()\nexport const text = 'RocketMQModule.forRoot()';\n",
      'src/app.e2e-spec.ts': configuring,
      'src/app.test.ts': configuring,
    });
    await added(tree);
    expect(tree.read('src/app.module.ts')).toContain('RocketMQModule.forRoot({');
    const own = scaffold({ 'src/messaging.ts': configuring });
    expect((await added(own)).lines).toEqual(['src/messaging.ts configures RocketMQModule already: it is unchanged.']);
    expect(own.read('src/app.module.ts')).toBe(APP_MODULE);
  });

  it('leaves files of the user alone', async () => {
    const own = { 'compose.rocketmq.yaml': 'mine', 'src/reminder/reminder.topic.ts': 'mine' };
    const tree = scaffold(own);
    await added(tree);
    expect(tree.all()).toMatchObject(own);
  });

  it('has the application end in order, once, in the style of its file', async () => {
    const tree = scaffold();
    await added(tree);
    const creation = '  const app = await NestFactory.create(AppModule);\n';
    const main = MAIN.replace(creation, `${creation}  app.enableShutdownHooks();\n`);
    expect(tree.read('src/main.ts')).toBe(main);
    const plain = MAIN.replaceAll(';', '').replaceAll('\n', '\r\n').replaceAll('app', 'shop');
    const other = scaffold({ 'src/main.ts': plain });
    await added(other, { module: 'src/app.module.ts' });
    expect(other.read('src/main.ts')).toBe(
      plain.replace('(AppModule)\r\n', '(AppModule)\r\n  shop.enableShutdownHooks()\r\n'),
    );
  });

  it('leaves a start that it does not understand alone, and says what is missing', async () => {
    const twice = MAIN.replace('void bootstrap', 'const other = await NestFactory.create(AppModule);\nvoid bootstrap');
    for (const main of [twice, MAIN.replace('const app = ', 'return ')]) {
      const tree = scaffold({ 'src/main.ts': main });
      const { lines } = await added(tree);
      expect(tree.read('src/main.ts')).toBe(main);
      expect(lines).toContainEqual(expect.stringContaining('app.enableShutdownHooks()'));
    }
    const own = MAIN.replace('await app.listen', 'app.enableShutdownHooks();\n  await app.listen');
    const tree = scaffold({ 'src/main.ts': own });
    const { lines } = await added(tree);
    expect(tree.read('src/main.ts')).toBe(own);
    expect(lines).not.toContainEqual(expect.stringContaining('app.enableShutdownHooks()'));
  });

  it('installs nothing with --skip-install', async () => {
    expect((await added(scaffold(), { skipInstall: true })).tasks).toEqual([]);
  });

  it('finds the module that main.ts starts, or takes the one that is named', async () => {
    const more = {
      'src/main.ts': MAIN.replaceAll('AppModule', 'ShopModule').replace('./app.module', './shop/shop.module.js'),
      'src/shop/shop.module.ts': APP_MODULE.replace('AppModule', 'ShopModule'),
    };
    const tree = scaffold(more);
    await added(tree);
    expect(tree.read('src/app.module.ts')).toBe(APP_MODULE);
    expect(tree.read('src/shop/shop.module.ts')).toContain("from '../reminder/reminder.listener';");
    const named = scaffold(more);
    await added(named, { module: './src/app.module.ts' });
    expect(named.read('src/app.module.ts')).toContain('RocketMQModule');
  });

  it('works in an application of a monorepo', async () => {
    const files = { 'apps/shop/src/main.ts': MAIN, 'apps/shop/src/app.module.ts': APP_MODULE };
    const tree = scaffold(files);
    await added(tree, { sourceRoot: 'apps/shop/src' });
    expect(tree.read('apps/shop/src/app.module.ts')).toContain('RocketMQModule');
    expect(tree.exists('apps/shop/src/reminder/reminder.topic.ts')).toBe(true);
    expect(tree.read('src/app.module.ts')).toBe(APP_MODULE);
  });

  it('shows what to paste where it does not understand the module, and writes the rest once that is done', async () => {
    const odd = APP_MODULE.replace('imports: []', 'imports: modules');
    const tree = scaffold({ 'src/app.module.ts': odd });
    await expect(added(tree)).rejects.toThrow(
      /Cannot change src\/app\.module\.ts: "imports" is not a list.*Nothing was changed[\s\S]*import \{ RocketMQModule \} from 'nestjs-rocketmq';[\s\S]*imports: \[RocketMQModule\.forRoot\(\{/,
    );
    expect(tree.exists('src/reminder/reminder.topic.ts')).toBe(false);
    expect(tree.read('src/app.module.ts')).toBe(odd);
    const pasted = odd
      .replace('modules', "[RocketMQModule.forRoot({ endpoints: 'embedded:' })].concat(modules)")
      .replace('AppService]', 'AppService, ReminderListener],\n  controllers: [ReminderController]')
      .replace(
        '\n\n',
        "\nimport { RocketMQModule } from 'nestjs-rocketmq';\nimport { ReminderListener } from './reminder/reminder.listener';\nimport { ReminderController } from './reminder/reminder.controller';\n\n",
      );
    const again = scaffold({ 'src/app.module.ts': pasted });
    await added(again);
    expect(again.read('src/app.module.ts')).toBe(pasted);
    expect(again.exists('src/reminder/reminder.listener.ts')).toBe(true);
  });

  it('does not take a class of that name for its sample', async () => {
    const other = "import { ReminderListener } from './mails';\n";
    const own = other + APP_MODULE.replace('AppService]', 'AppService, ReminderListener]');
    const tree = scaffold({ 'src/app.module.ts': own });
    await expect(added(tree)).rejects.toThrow(/another ReminderListener from '\.\/mails'\. Nothing was changed/);
    expect(tree.read('src/app.module.ts')).toBe(own);
    const configured = own.replace('imports: []', 'imports: [RocketMQModule.forRoot({})]');
    const second = scaffold({ 'src/app.module.ts': configured });
    await added(second);
    expect(second.exists('src/reminder/reminder.listener.ts')).toBe(false);
  });

  it('keeps the line ends of package.json', async () => {
    const tree = scaffold();
    tree.overwrite('package.json', (tree.read('package.json') ?? '').toString().replaceAll('\n', '\r\n'));
    await added(tree);
    const lines = (tree.read('package.json') ?? '').toString().split('\n').slice(0, -1);
    expect(lines.filter((line) => !line.endsWith('\r'))).toEqual([]);
  });

  it('rejects what is no application of Nest, and a module that is not there', async () => {
    await expect(added(scaffold({}, { dependencies: {} }))).rejects.toThrow('no @nestjs/core');
    await expect(added(scaffold({ 'package.json': '{' }))).rejects.toThrow('not valid JSON');
    await expect(added(scaffold(), { module: 'src/none.ts' })).rejects.toThrow('There is no module src/none.ts');
  });

  it.each(['^12.5.1', '~12.5.1', '12.5.1', '12', '12.x', 'catalog:nest', 'latest', '^11.0.0 || ^12.0.0'])(
    'adds @nestjs/microservices in the major version of @nestjs/core %j, whose minor version it may not have',
    async (core) => {
      const json = { dependencies: { '@nestjs/core': core } };
      const tree = scaffold({ 'node_modules/@nestjs/core/package.json': '{"version":"12.5.1"}' }, json);
      await added(tree);
      expect(dependenciesOf(tree)).toMatchObject({ '@nestjs/microservices': '^12.0.0' });
    },
  );
});

describe('the server for Docker Compose', () => {
  const { services, configs } = parse(readFileSync('libs/rocketmq/schematics/files/compose.rocketmq.yaml', 'utf8'));

  it('has the version that the demos are tested with', () => {
    const demos = parse(readFileSync('compose.yaml', 'utf8'), { merge: true }).services;
    for (const { image } of Object.values<{ image: string }>(services)) expect(image).toBe(demos.broker.image);
  });

  it('gives clients addresses that are published, on this machine only', () => {
    const published = [...services['name-server'].ports, ...services.broker.ports];
    expect(published).toEqual(['127.0.0.1:9876:9876', '127.0.0.1:8081:8081', '127.0.0.1:10911:10911']);
    expect(configs.broker.content).toMatch(/^brokerIP1=127\.0\.0\.1\nlistenPort=10911$/m);
    expect(JSON.parse(configs.proxy.content)).toMatchObject({ grpcServerPort: 8081 });
  });
});

describe('nest g topic', () => {
  it('creates a topic in kebab case', async () => {
    const tree = scaffold();
    await withTopic(tree, { name: 'orders/orderPlaced', type: 'fifo' });
    const text = tree.read('src/orders/order-placed/order-placed.topic.ts');
    expect(text).toContain("export const OrderPlaced = defineTopic<{ id: string }>('order-placed', {\n  type: 'fifo',");
  });

  it('takes a path, and creates no folder with --flat', async () => {
    const tree = scaffold();
    await withTopic(tree, { name: 'mail', path: 'post', flat: true });
    expect(tree.exists('src/post/mail.topic.ts')).toBe(true);
  });

  it.each(['1st', 'a b!', '../../mail', ''])('rejects the name %j', async (name) => {
    await expect(withTopic(scaffold(), { name })).rejects.toThrow('Nothing was changed');
  });

  it('does not overwrite, and rejects JavaScript', async () => {
    const tree = scaffold({ 'src/mail/mail.topic.ts': 'mine' });
    await expect(withTopic(tree, { name: 'mail' })).rejects.toThrow('src/mail/mail.topic.ts exists already');
    await expect(withTopic(tree, { name: 'post', language: 'js' })).rejects.toThrow('write TypeScript');
  });
});

describe('nest g listener', () => {
  it('creates a listener, its topic and its test, and adds it to the nearest module', async () => {
    const tree = scaffold({ 'src/orders/orders.module.ts': APP_MODULE.replace('AppModule', 'OrdersModule') });
    await withListener(tree, { name: 'orders/order-placed' });
    const folder = 'src/orders/order-placed';
    expect(tree.read(`${folder}/order-placed.listener.ts`)).toMatch(
      /class OrderPlacedListener[\s\S]*@RocketMQListener\(OrderPlaced, \{ consumerGroup: 'order-placed' \}\)/,
    );
    expect(tree.read(`${folder}/order-placed.topic.ts`)).toContain("type: 'normal'");
    expect(tree.exists(`${folder}/order-placed.listener.spec.ts`)).toBe(true);
    expect(tree.read('src/orders/orders.module.ts')).toContain(
      "import { OrderPlacedListener } from './order-placed/order-placed.listener';",
    );
    expect(tree.read('src/app.module.ts')).toBe(APP_MODULE);
  });

  it('listens to the topic of that name which the project has', async () => {
    const tree = scaffold({ 'src/topics/reminder.topic.ts': 'mine' });
    await withListener(tree, { name: 'mail/reminder', flat: true, spec: false });
    expect(tree.read('src/mail/reminder.listener.ts')).toContain("from '../topics/reminder.topic';");
    expect(tree.exists('src/mail/reminder.topic.ts')).toBe(false);
    expect(tree.exists('src/mail/reminder.listener.spec.ts')).toBe(false);
    const twice = scaffold({ 'src/a/mail.topic.ts': 'mine', 'src/b/mail.topic.ts': 'mine' });
    await expect(withListener(twice, { name: 'mail' })).rejects.toThrow('declared several times');
  });

  it('does not overwrite, and shows what to paste into a module that it does not understand', async () => {
    const tree = scaffold({ 'src/mail/mail.listener.ts': 'mine' });
    await expect(withListener(tree, { name: 'mail' })).rejects.toThrow('src/mail/mail.listener.ts exists already');
    const odd = scaffold({ 'src/app.module.ts': APP_MODULE.replace('[AppService]', 'all') });
    await expect(withListener(odd, { name: 'mail' })).rejects.toThrow(/then repeat[\s\S]*providers: \[MailListener\]/);
  });

  it.each(['logger', 'injectable', 'body-of', "it's/foo", 'a\\b/foo', 'a"b/foo'])(
    'rejects the name %j',
    async (name) => {
      const tree = scaffold();
      const before = tree.all();
      await expect(withListener(tree, { name })).rejects.toThrow(/cannot be a .*Nothing was changed/);
      expect(tree.all()).toEqual(before);
    },
  );

  it('leaves modules alone with --skip-import, and says so where there is none', async () => {
    const tree = scaffold();
    await withListener(tree, { name: 'mail', skipImport: true });
    expect(tree.read('src/app.module.ts')).toBe(APP_MODULE);
    const context = await withListener(new MemoryTree({ 'package.json': '{}' }), { name: 'mail' });
    expect(context.lines).toEqual(['src/mail is in no module: add MailListener to the providers of one.']);
  });
});
