// What compose.yaml says, as Compose's loader writes it: of it what is looked at here.

export interface ComposeService {
  readonly image: string;
  readonly command: readonly [program: string, ...args: string[]];
  readonly environment: Readonly<Record<string, string>>;
  readonly profiles?: readonly string[];
  readonly networks?: Readonly<Record<string, unknown>>;
  readonly ports?: readonly { readonly host_ip?: string; readonly published: string; readonly target: number }[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly restart?: string;
  readonly volumes?: readonly { readonly type: string; readonly source: string; readonly target: string }[];
}

export interface ComposeModel {
  readonly services: Readonly<Record<string, ComposeService>>;
}
