// Runs scenarios, prints a line for each, and counts.

export class Tally {
  passed = 0;
  failed = 0;

  /** @param {string} name @param {() => Promise<void>} work */
  async run(name, work) {
    try {
      await work();
      this.passed++;
      process.stdout.write(`ok      ${name}\n`);
    } catch (error) {
      this.failed++;
      process.stdout.write(`FAILED  ${name}\n${error instanceof Error ? error.stack : error}\n`);
    }
  }
}
