import { describe, expect, it } from '@jest/globals';
import { recordingLogger } from '../../../../../test/fixtures/nest-bench.js';
import { TransportError } from '../../support/errors.js';
import { silentLogger } from '../../support/logger.js';
import { type StartProblem, StartSteps } from './start-steps.js';

const away = (): TransportError => new TransportError('UNAVAILABLE', 'away', 'not-sent', true);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function stepsOf(mayWait: boolean): { readonly steps: StartSteps; readonly problems: (StartProblem | undefined)[] } {
  const problems: (StartProblem | undefined)[] = [];
  const onProblem = (problem: StartProblem | undefined): void => void problems.push(problem);
  return { steps: new StartSteps({ mayWait, logger: silentLogger, onProblem }), problems };
}

describe('the steps of a startup', () => {
  it('run once each and one after another, also those that are postponed at the same time', async () => {
    const { steps, problems } = stepsOf(true);
    let isThere = false;
    let atOnce = 0;
    const done: string[] = [];
    const step = (name: string) => async (): Promise<void> => {
      if (!isThere) throw away();
      atOnce++;
      await turn();
      done.push(`${name}, ${atOnce} at once`);
      atOnce--;
    };
    await Promise.all([steps.run(step('a')), steps.run(step('b'))]);
    expect(steps.problem?.kind).toBe('away');
    isThere = true;
    while (steps.problem !== undefined) await turn();
    await steps.run(step('c'));
    await steps.stop();
    expect(done).toEqual(['a, 1 at once', 'b, 1 at once', 'c, 1 at once']);
    expect(problems.map((problem) => problem?.kind)).toEqual(['away', undefined]);
  });

  it('fail where the application must not wait, and fail for other errors in any case', async () => {
    const fail = async (): Promise<void> => {
      throw away();
    };
    await expect(stepsOf(false).steps.run(fail)).rejects.toThrow('away');
    const wrong = async (): Promise<void> => {
      throw new TypeError('wrong');
    };
    await expect(stepsOf(true).steps.run(wrong)).rejects.toThrow('wrong');
  });

  it('log what does not fit on one line, with commands that can be copied from there', async () => {
    const logger = recordingLogger();
    let rejection: Error | undefined;
    const onProblem = (problem: StartProblem | undefined): void => {
      if (problem?.kind === 'away') rejection = new TypeError('run:\n\nnpx a &&\nnpx b\n');
    };
    const steps = new StartSteps({ mayWait: true, logger, onProblem });
    await steps.run(async () => {
      throw rejection ?? away();
    });
    while (steps.problem?.kind !== 'rejected') await turn();
    await steps.stop();
    expect(logger.lines.map(([, { error }]) => error)).toEqual(['[UNAVAILABLE] away', 'run: npx a && npx b']);
  });

  it('are canceled by stop(), which waits for the running one, and none starts after that', async () => {
    const { steps } = stepsOf(true);
    let hasEnded = false;
    const running = steps.run(async (signal) => {
      while (!signal.aborted) await turn();
      await turn();
      hasEnded = true;
    });
    const next = steps.run(async () => {});
    next.catch(() => {});
    await turn();
    await steps.stop();
    expect(hasEnded).toBe(true);
    await running;
    await expect(next).rejects.toMatchObject({ code: 'CLOSED' });
  });
});
