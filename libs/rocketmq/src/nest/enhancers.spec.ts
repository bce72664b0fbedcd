// Every kind of enhancer, bound in every way, on a listener in a controller and in a class provider.

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type ArgumentsHost,
  type CallHandler,
  Catch,
  Controller,
  type ExecutionContext,
  type INestApplication,
  Inject,
  Injectable,
  type PipeTransform,
  type Provider,
  Scope,
  type Type,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, REQUEST } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { type Observable, tap } from 'rxjs';
import {
  defineTopic,
  type RocketMQContext,
  RocketMQListener,
  RocketMQModule,
  RocketMQProducer,
} from '../entries/nest.js';
import { silentLogger } from '../support/logger.js';
import { TestBroker } from '../testing/test-broker.js';

/** What a run has seen; injected, which proves that Nest has created the enhancer. */
class Seen {
  readonly bodies: unknown[] = [];
  readonly marks: string[] = [];
}

class Body {
  readonly id!: string;
}

@Injectable()
class RejectingGuard {
  constructor(@Inject(Seen) private readonly seen: Seen) {}

  canActivate(context: ExecutionContext): boolean {
    const rocketmq = context.switchToRpc().getContext<RocketMQContext>();
    this.seen.marks.push(`${context.getType()} ${context.getHandler().name} ${rocketmq.deliveryAttempt}`);
    return false;
  }
}

@Injectable()
class MarkingPipe implements PipeTransform {
  constructor(@Inject(Seen) private readonly seen: Seen) {}

  transform(value: unknown, { type, metatype }: { type: string; metatype?: Type }): unknown {
    if (type !== 'body') return value;
    this.seen.marks.push(`${type} ${metatype?.name}`);
    return { ...(value as object), piped: true };
  }
}

@Injectable()
class WatchingInterceptor {
  constructor(@Inject(Seen) private readonly seen: Seen) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    this.seen.marks.push(`before ${context.getType()} ${context.getClass().name}`);
    return next.handle().pipe(tap(() => this.seen.marks.push('after')));
  }
}

@Catch()
class SwallowingFilter {
  constructor(@Inject(Seen) private readonly seen: Seen) {}

  catch(error: Error, host: ArgumentsHost): null {
    this.seen.marks.push(`${host.getType()} ${error.message} ${host.switchToRpc().getData<Body>().id}`);
    return null;
  }
}

interface Enhancer {
  readonly type: Type;
  readonly token: string;
  readonly use: (type: Type) => MethodDecorator & ClassDecorator;
  readonly useGlobally: (app: INestApplication, instance: never) => unknown;
  readonly methodFails: boolean;
  readonly expected: (hostName: string) => { readonly bodies: unknown[]; readonly marks: string[] };
  readonly isAcked: boolean;
}

const ENHANCERS: Readonly<Record<string, Enhancer>> = {
  guard: {
    type: RejectingGuard,
    token: APP_GUARD,
    use: UseGuards,
    useGlobally: (app, instance) => app.useGlobalGuards(instance),
    methodFails: false,
    expected: () => ({ bodies: [], marks: ['rocketmq handle 1'] }),
    isAcked: false,
  },
  pipe: {
    type: MarkingPipe,
    token: APP_PIPE,
    use: UsePipes,
    useGlobally: (app, instance) => app.useGlobalPipes(instance),
    methodFails: false,
    expected: () => ({ bodies: [{ id: 'a', piped: true }], marks: ['body Body'] }),
    isAcked: true,
  },
  interceptor: {
    type: WatchingInterceptor,
    token: APP_INTERCEPTOR,
    use: UseInterceptors,
    useGlobally: (app, instance) => app.useGlobalInterceptors(instance),
    methodFails: false,
    expected: (hostName) => ({ bodies: [{ id: 'a' }], marks: [`before rocketmq ${hostName}`, 'after'] }),
    isAcked: true,
  },
  filter: {
    type: SwallowingFilter,
    token: APP_FILTER,
    use: UseFilters,
    useGlobally: (app, instance) => app.useGlobalFilters(instance),
    methodFails: true,
    expected: () => ({ bodies: [{ id: 'a' }], marks: ['rocketmq it failed a'] }),
    isAcked: false,
  },
};

const BINDINGS = ['method', 'class', 'APP_* provider', 'app.useGlobal*'] as const;
const HOSTS = ['controller', 'class provider'] as const;

let broker: TestBroker;

interface Bench {
  readonly topic: string;
  readonly hostKind: (typeof HOSTS)[number];
  readonly methodFails?: boolean;
  readonly onMethod?: MethodDecorator;
  readonly onClass?: ClassDecorator;
  readonly scope?: Scope;
  readonly providers?: readonly Provider[];
  readonly prepare?: (app: INestApplication, seen: Seen) => void;
}

const nothing = (): void => {};

/** Starts an application with one listener, sends it one message, waits until everything has settled, stops. */
async function run(bench: Bench): Promise<Seen & { readonly isAcked: boolean }> {
  const topic = defineTopic<{ id: string }>(bench.topic, { type: 'normal' });
  const { onMethod = nothing, onClass = nothing, scope = Scope.DEFAULT, hostKind } = bench;
  const seen = new Seen();

  @onClass
  @(hostKind === 'controller' ? Controller({ scope }) : Injectable({ scope }))
  class Listener {
    constructor(@Inject(Seen) private readonly seenHere: Seen) {}

    @onMethod
    @RocketMQListener(topic, { consumerGroup: `group-${bench.topic}` })
    async handle(body: Body): Promise<void> {
      this.seenHere.bodies.push(body);
      if (bench.methodFails) throw new Error('it failed');
    }
  }

  const moduleRef = await Test.createTestingModule({
    imports: [RocketMQModule.forRoot({ endpoints: broker.endpoints, clock: broker.clock, logger: silentLogger })],
    controllers: hostKind === 'controller' ? [Listener] : [],
    providers: [
      { provide: Seen, useValue: seen },
      ...(hostKind === 'controller' ? [] : [Listener]),
      ...(bench.providers ?? []),
    ],
  }).compile();
  const app = moduleRef.createNestApplication({ logger: false });
  bench.prepare?.(app, seen);
  await app.init();
  try {
    await app.get(RocketMQProducer).send(topic, { id: 'a' });
    await broker.idle();
    const isAcked = !broker.waiting().some((message) => message.topic === bench.topic);
    return { bodies: seen.bodies, marks: seen.marks, isAcked };
  } finally {
    await app.close();
  }
}

function bind(enhancer: Enhancer, binding: (typeof BINDINGS)[number]): Partial<Bench> {
  const { type, token, use, useGlobally, methodFails } = enhancer;
  switch (binding) {
    case 'method':
      return { methodFails, onMethod: use(type) };
    case 'class':
      return { methodFails, onClass: use(type) };
    case 'APP_* provider':
      return { methodFails, providers: [{ provide: token, useClass: type }] };
    case 'app.useGlobal*':
      return { methodFails, prepare: (app, seen) => useGlobally(app, new type(seen) as never) };
  }
}

beforeAll(async () => {
  broker = await TestBroker.start({ manualClock: true });
});

afterAll(async () => {
  await broker.stop();
});

const CELLS = HOSTS.flatMap((hostKind) =>
  Object.entries(ENHANCERS).flatMap(([name, enhancer]) =>
    BINDINGS.map((binding) => ({ hostKind, name, enhancer, binding })),
  ),
);

describe('an enhancer of a listener', () => {
  for (const [index, { hostKind, name, enhancer, binding }] of CELLS.entries()) {
    it(`has its effect: ${name}, bound by ${binding}, on a ${hostKind}`, async () => {
      const topic = `cell-${index}`;
      const { bodies, marks, isAcked } = await run({ topic, hostKind, ...bind(enhancer, binding) });
      expect({ bodies, marks, isAcked }).toEqual({ ...enhancer.expected('Listener'), isAcked: enhancer.isAcked });
    });
  }
});

describe('a request-scoped listener', () => {
  for (const hostKind of HOSTS) {
    for (const [name, enhancer] of Object.entries(ENHANCERS)) {
      for (const binding of ['method', 'class', 'APP_* provider'] as const) {
        it(`has its ${name} bound by ${binding}, on a ${hostKind}`, async () => {
          const topic = `scoped-${hostKind}-${name}-${binding}`.replace(/[^a-z-]/g, '-');
          const scope = Scope.REQUEST;
          const { bodies, marks, isAcked } = await run({ topic, hostKind, scope, ...bind(enhancer, binding) });
          expect({ bodies, marks, isAcked }).toEqual({ ...enhancer.expected('Listener'), isAcked: enhancer.isAcked });
        });
      }
    }
  }
});

@Injectable({ scope: Scope.REQUEST })
class RequestInterceptor {
  constructor(
    @Inject(REQUEST) private readonly request: RocketMQContext,
    @Inject(Seen) private readonly seen: Seen,
  ) {}

  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    this.seen.marks.push(`request ${this.request.topic}`);
    return next.handle();
  }
}

describe('a request-scoped enhancer', () => {
  for (const hostKind of HOSTS) {
    it(`gets the delivery as its REQUEST when bound to the method of a ${hostKind}`, async () => {
      const topic = `request-method-${hostKind}`.replace(' ', '-');
      const { marks } = await run({ topic, hostKind, onMethod: UseInterceptors(RequestInterceptor) });
      expect(marks).toEqual([`request ${topic}`]);
    });

    it(`gets the delivery as its REQUEST when bound globally, on a ${hostKind}`, async () => {
      const topic = `request-global-${hostKind}`.replace(' ', '-');
      const providers = [{ provide: APP_INTERCEPTOR, useClass: RequestInterceptor }];
      const { marks } = await run({ topic, hostKind, providers });
      expect(marks).toEqual([`request ${topic}`]);
    });
  }
});
