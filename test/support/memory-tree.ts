// Files in memory, in the place of the tree that the Nest CLI passes to schematics: its own cannot be loaded by jest on Node 20.

import { posix } from 'node:path';
import type { ProjectTree, SchematicContext } from '../../libs/rocketmq/src/schematics/project.js';

/** A project of which every path is relative to its root. */
export class MemoryTree implements ProjectTree {
  private readonly files: Map<string, string>;

  constructor(files: Readonly<Record<string, string>>) {
    this.files = new Map(Object.entries(files));
  }

  exists(path: string): boolean {
    return this.files.has(posix.normalize(path));
  }

  read(path: string): string | null {
    return this.files.get(posix.normalize(path)) ?? null;
  }

  create(path: string, content: string): void {
    if (this.exists(path)) throw new Error(`${path} exists already`);
    this.files.set(posix.normalize(path), content);
  }

  overwrite(path: string, content: string): void {
    if (!this.exists(path)) throw new Error(`${path} does not exist`);
    this.files.set(posix.normalize(path), content);
  }

  getDir(path: string): { visit(see: (path: string) => void): void } {
    const folder = posix.normalize(`/${path}/`);
    return {
      visit: (see) => {
        for (const file of this.files.keys()) if (`/${file}`.startsWith(folder)) see(`/${file}`);
      },
    };
  }

  /** All files, to compare with. */
  all(): Record<string, string> {
    return Object.fromEntries(this.files);
  }
}

/** Keeps what a schematic logs and asks to be run. */
export class RecordingContext implements SchematicContext {
  readonly lines: string[] = [];
  readonly tasks: string[] = [];
  readonly logger = {
    info: (text: string): void => void this.lines.push(text),
    warn: (text: string): void => void this.lines.push(text),
  };

  addTask(task: { toConfiguration(): { readonly name: string } }): void {
    this.tasks.push(task.toConfiguration().name);
  }
}
