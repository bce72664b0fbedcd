// Creates a self-signed certificate for a broker without a configured one. Node.js creates keys and signatures but no certificates, so
// the few DER structures are written here. @see RFC 5280, section 4.1

import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { HOUR_MS } from '../support/clock.js';
import { type Random, systemRandom } from '../support/random.js';

const TAG = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
};
const VERSION_FIELD = 0xa0;
const EXTENSIONS_FIELD = 0xa3;
const DNS_NAME = 0x82;
const IP_ADDRESS = 0x87;
const OIDS = {
  ecdsaWithSha256: '2a8648ce3d040302',
  commonName: '550403',
  subjectAltName: '551d11',
};
/** Some clients accept any issuer but check the dates, and clocks differ. */
const VALID_SINCE_MS = 24 * HOUR_MS;
const VALID_FOR_MS = 10 * 365 * 24 * HOUR_MS;

/** A key, and a certificate for `localhost` and `127.0.0.1` signed by it, as PEM. */
export function selfSignedCertificate(nowMs: number, random: Random = systemRandom): { cert: string; key: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = der(TAG.sequence, oid(OIDS.ecdsaWithSha256));
  const body = toBeSigned({ nowMs, publicKey, algorithm, serial: random.bytes(8) });
  const certificate = der(TAG.sequence, body, algorithm, bits(sign('sha256', body, privateKey)));
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
}

interface Contents {
  readonly nowMs: number;
  readonly publicKey: KeyObject;
  readonly algorithm: Buffer;
  readonly serial: Buffer;
}

function toBeSigned({ nowMs, publicKey, algorithm, serial }: Contents): Buffer {
  const name = der(
    TAG.sequence,
    der(TAG.set, der(TAG.sequence, oid(OIDS.commonName), der(TAG.utf8, Buffer.from('localhost')))),
  );
  const names = der(
    TAG.sequence,
    der(DNS_NAME, Buffer.from('localhost')),
    der(IP_ADDRESS, Buffer.from([127, 0, 0, 1])),
  );
  const extension = der(TAG.sequence, oid(OIDS.subjectAltName), der(TAG.octetString, names));
  return der(
    TAG.sequence,
    der(VERSION_FIELD, der(TAG.integer, Buffer.from([2]))),
    // Keeps the number positive.
    der(TAG.integer, Buffer.concat([Buffer.from([1]), serial])),
    algorithm,
    name,
    der(TAG.sequence, time(nowMs - VALID_SINCE_MS), time(nowMs + VALID_FOR_MS)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(EXTENSIONS_FIELD, der(TAG.sequence, extension)),
  );
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function oid(hex: string): Buffer {
  return der(TAG.oid, Buffer.from(hex, 'hex'));
}

function bits(content: Buffer): Buffer {
  return der(TAG.bitString, Buffer.from([0]), content);
}

/** RFC 5280: years from 2050 on have four digits, earlier ones two. */
function time(atMs: number): Buffer {
  const digits = new Date(atMs).toISOString().replace(/[-:T]/g, '').slice(0, 14);
  if (digits >= '2050') return der(TAG.generalizedTime, Buffer.from(`${digits}Z`));
  return der(TAG.utcTime, Buffer.from(`${digits.slice(2)}Z`));
}
