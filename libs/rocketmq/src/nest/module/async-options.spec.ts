import { describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { RocketMQModule, type RocketMQModuleAsyncOptions, type RocketMQModuleOptions } from '../../entries/nest.js';

@Injectable()
class Config {
  createRocketMQOptions(): RocketMQModuleOptions {
    return { endpoints: 'embedded:' };
  }
}

const useFactory = (): RocketMQModuleOptions => ({ endpoints: 'embedded:' });

describe('the options of the module itself', () => {
  it.each<[object, string]>([
    [{ isGlobal: 'false' }, 'option isGlobal must be true or false, not "false"'],
    [{ isGlobal: null }, 'option isGlobal must be true or false, not null'],
    [{ name: '' }, 'option name must be a non-empty string, not ""'],
    [{ name: 5n }, 'option name must be a non-empty string, not 5n'],
  ])('are checked: %p', (scope, problem) => {
    expect(() => RocketMQModule.forRoot({ endpoints: 'embedded:', ...scope } as RocketMQModuleOptions)).toThrow(
      `[ILLEGAL_OPTION] RocketMQModule: ${problem}`,
    );
    expect(() => RocketMQModule.forRootAsync({ useFactory, ...scope } as RocketMQModuleAsyncOptions)).toThrow(
      `[ILLEGAL_OPTION] RocketMQModule.forRootAsync(): ${problem}`,
    );
  });

  it('are required', () => {
    expect(() => RocketMQModule.forRoot(undefined as never)).toThrow('option endpoints is undefined');
    expect(() => RocketMQModule.forRootAsync(undefined as never)).toThrow('option options must be an object');
  });
});

describe('forRootAsync', () => {
  it.each<[string, object, string]>([
    ['no source', {}, 'useFactory is missing; set useFactory, useClass or useExisting'],
    ['two sources', { useFactory, useClass: Config }, 'useClass cannot be combined with useFactory; set one of them'],
    ['two others', { useClass: Config, useExisting: Config }, 'useExisting cannot be combined with useClass'],
    ['an unknown option', { useFactory, usefactory: 1 }, 'usefactory is unknown; the options are'],
    ['no function', { useFactory: 5 }, 'useFactory must be a function, not 5'],
    ['no class', { useClass: {} }, 'useClass must be a class, not an object'],
    ['no token', { useExisting: 5 }, 'useExisting must be a class, a string or a symbol, not 5'],
    ['inject of another source', { useClass: Config, inject: [] }, 'inject is for useFactory only'],
    ['a single import', { useFactory, imports: Config }, 'imports must be a list of modules, not a function'],
  ])('rejects %s', (_what, options, problem) => {
    expect(() => RocketMQModule.forRootAsync(options)).toThrow(
      `[ILLEGAL_OPTION] RocketMQModule.forRootAsync(): option ${problem}`,
    );
  });

  const compiled = (options: object) =>
    Test.createTestingModule({ imports: [RocketMQModule.forRootAsync(options)] }).compile();

  it('names a class that cannot create options', async () => {
    @Injectable()
    class Settings {}
    @Module({ providers: [{ provide: 'settings', useValue: {} }], exports: ['settings'] })
    class SettingsModule {}
    await expect(compiled({ useClass: Settings })).rejects.toThrow(
      'RocketMQModule.forRootAsync(): option useClass Settings has no method createRocketMQOptions()',
    );
    await expect(compiled({ imports: [SettingsModule], useExisting: 'settings' })).rejects.toThrow(
      'RocketMQModule.forRootAsync(): option useExisting settings has no method createRocketMQOptions()',
    );
  });

  it('says what returned no options, and for which connection', async () => {
    @Injectable()
    class Forgetful {
      createRocketMQOptions(): void {}
    }
    await expect(compiled({ useFactory: () => undefined })).rejects.toThrow(
      'option useFactory returned undefined for the connection without a name; it must return the options of RocketMQModule',
    );
    await expect(compiled({ name: 'eu', useFactory: async () => 'host:8081' })).rejects.toThrow(
      'option useFactory returned "host:8081" for connection "eu"',
    );
    await expect(compiled({ useClass: Forgetful })).rejects.toThrow('option useClass returned undefined');
  });

  it('checks the options that the factory returns', async () => {
    await expect(compiled({ useFactory: () => ({ endpoints: 'embedded:', name: 'x' }) })).rejects.toThrow(
      'RocketMQModule: option name is unknown',
    );
  });
});
