// For `npx drizzle-kit generate`, run in this folder after a change of the schema.

import { defineConfig } from 'drizzle-kit';

export default defineConfig({ dialect: 'postgresql', schema: './src/database/schema.ts', out: './drizzle' });
