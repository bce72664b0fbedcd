// The projects that the library is installed into. A project is one installation; its variants share it.

export interface Project {
  /** Also of its folder. */
  name: string;
  /** The range of Nest's packages. */
  nest: string;
  /** What compiles it, and what ts-jest runs on. */
  typescript: string;
  formats: readonly ('esm' | 'cjs')[];
  /** How jest compiles a variant, where it runs it. */
  jest: Readonly<Partial<Record<'esm' | 'cjs', 'ts-jest' | 'swc'>>>;
  /** Packages beside those that all have. */
  more: Readonly<Record<string, string>>;
}

export const PROJECTS: readonly Project[] = [
  {
    name: 'nest-10',
    nest: '^10.4.0',
    typescript: '~5.4.0',
    formats: ['cjs', 'esm'],
    jest: { cjs: 'ts-jest' },
    more: { '@nestjs/terminus': '^10.2.0' },
  },
  {
    name: 'nest-11',
    nest: '^11.0.0',
    typescript: '~5.9.0',
    formats: ['cjs', 'esm'],
    jest: { cjs: 'ts-jest', esm: 'swc' },
    // nestjs-pino for Nest 12 asks for Node 22.
    more: { '@nestjs/terminus': '^11.0.0', 'nestjs-pino': '^4.6.0', pino: '^10.0.0', 'pino-http': '^11.0.0' },
  },
  {
    name: 'nest-12',
    nest: '^12.0.0',
    typescript: '~6.0.0',
    formats: ['esm', 'cjs'],
    // Nest 12 is ESM only, which jest cannot require on Node 20.
    jest: { esm: 'swc' },
    more: { '@nestjs/terminus': '^12.0.0' },
  },
];

/** Nest's packages that a project has. */
export const NEST_PACKAGES = ['common', 'core', 'microservices', 'platform-express', 'platform-fastify', 'testing'];

/** What every project has beside Nest and the library. */
export const COMMON_PACKAGES = {
  '@opentelemetry/api': '^1.9.0',
  '@swc/core': '^1.16.0',
  '@swc/jest': '^0.2.39',
  '@types/node': '^20.19.0',
  'class-transformer': '^0.5.1',
  'class-validator': '^0.14.0',
  esbuild: '^0.28.0',
  jest: '^30.5.0',
  'reflect-metadata': '^0.2.0',
  rxjs: '^7.8.0',
  'ts-jest': '^29.4.0',
  zod: '^4.6.0',
};
