// Prisma's client as `prisma generate` makes it, for a schema without models: the ports need its transactions and raw statements only.

import { PrismaMariaDb } from '@prisma/adapter-mariadb';
import { PrismaPg } from '@prisma/adapter-pg';
import { getPrismaClient } from '@prisma/client/runtime/client';
import type { PrismaDatabase } from 'nestjs-rocketmq/sql';
import type { MySqlAddress } from '../../../tools/servers/mysql-server.js';
import type { PostgresAddress } from '../../fixtures/postgres.js';

/** The types of the browser are not those of this repository. */
const { WebAssembly: webAssembly } = globalThis as unknown as {
  readonly WebAssembly: { readonly Module: new (bytes: Buffer) => object };
};

type Adapter = PrismaPg | PrismaMariaDb;

/** Disconnect it after use. */
export interface Prisma extends PrismaDatabase {
  $disconnect(): Promise<void>;
}

export function prismaOnPostgres(address: PostgresAddress): Prisma {
  return open('postgresql', new PrismaPg(address));
}

export function prismaOnMySql(address: MySqlAddress): Prisma {
  return open('mysql', new PrismaMariaDb(address));
}

function open(activeProvider: 'postgresql' | 'mysql', adapter: Adapter): Prisma {
  const Client = getPrismaClient({
    previewFeatures: [],
    clientVersion: '7',
    engineVersion: '7',
    activeProvider,
    inlineSchema: `datasource db { provider = "${activeProvider}" }`,
    runtimeDataModel: { models: {}, enums: {}, types: {} },
    parameterizationSchema: { strings: [], graph: 'AAAA' },
    compilerWasm: {
      getRuntime: () => import(`@prisma/client/runtime/query_compiler_fast_bg.${activeProvider}.mjs`),
      getQueryCompilerWasmModule: async () => {
        const { wasm } = await import(
          `@prisma/client/runtime/query_compiler_fast_bg.${activeProvider}.wasm-base64.mjs`
        );
        return new webAssembly.Module(Buffer.from(wasm, 'base64'));
      },
      importName: './query_compiler_fast_bg.js',
    },
  });
  return new Client({ adapter }) as unknown as Prisma;
}
