// Detects whether Nest built a server's handlers with the application's own configuration: `inheritAppConfig` of
// `connectMicroservice`, which a strategy cannot read. It relies on an internal of Nest, the same on 10.4, 11 and 12: Nest reads the
// global filters of the configuration while it builds a handler, right before it registers the handler with the server.

/** The part of Nest's `ApplicationConfig` in use here. */
interface Config {
  getGlobalFilters(): unknown;
}

/** Counts how often the application's configuration is read. */
export class GlobalsWatch {
  private reads = 0;

  /** @param config undefined where this version of Nest keeps it elsewhere; then nothing is detected */
  constructor(config: Config | undefined) {
    if (typeof config?.getGlobalFilters !== 'function') return;
    const { getGlobalFilters } = config;
    config.getGlobalFilters = () => {
      this.reads += 1;
      return getGlobalFilters.call(config);
    };
  }

  /** How often it was read so far. */
  get count(): number {
    return this.reads;
  }
}

/** The configuration that a creator of Nest uses. */
export function configOf(creator: object): Config | undefined {
  return (creator as { readonly guardsContextCreator?: { readonly config?: Config } }).guardsContextCreator?.config;
}
