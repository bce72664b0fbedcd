// The releases of name servers, brokers and clients, as the numbers that they send with each frame.

/** The number of the first release with POP, timers, types of topics and the requests about them. @see MQVersion of the server */
export const RELEASE_5 = 413;
/** Whether a server is of 4.x: it has no types of topics, and no settings of groups for order and backoff. @param release see `RemotingFrame.version` */
export function isOf4(release: number): boolean {
  return release > 0 && release < RELEASE_5;
}

/** 4.0.0, from which on every release has a number, and its snapshot the one before. */
const RELEASE_4 = 213;
/** Each minor release has ten patches, whether or not they were published. */
const PATCHES = 10;

/** The name of a release for errors. @param release see `RemotingFrame.version` */
export function releaseName(release: number): string {
  if (release === 0) return 'an unknown release';
  const version = releaseVersion(release);
  return version === undefined ? `a release before 4.0.0 (number ${release})` : `RocketMQ ${version}`;
}

/** For instance `4.9.8`; undefined before 4.0.0. @param release see `RemotingFrame.version` */
export function releaseVersion(release: number): string | undefined {
  const patches = (release - RELEASE_4 + 1) >> 1;
  if (patches < 0) return undefined;
  const minors = Math.floor(patches / PATCHES);
  const major = Math.min(4 + Math.floor(minors / 10), 5);
  return `${major}.${minors - (major - 4) * 10}.${patches % PATCHES}`;
}
