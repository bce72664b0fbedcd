// Signs a remoting request for a server that checks access.

import { createHmac } from 'node:crypto';
import type { Credentials } from '../protocol/credentials/metadata.js';
import type { RemotingRequest } from './remoting-request.js';

/**
 * The request with its signature: HMAC-SHA1 in Base64 over the values of all fields, sorted by field name, and then the body.
 * @see AclClientRPCHook and AclUtils.combineRequestContent of the server
 */
export function signed(request: RemotingRequest, credentials: Credentials): RemotingRequest {
  const { accessKey, secretKey, sessionToken } = credentials;
  const asked = typeof request.fields === 'string' ? JSON.parse(request.fields) : request.fields;
  const fields: Record<string, string> = {
    ...asked,
    AccessKey: accessKey,
    ...(sessionToken === undefined ? {} : { SecurityToken: sessionToken }),
  };
  const hmac = createHmac('sha1', secretKey);
  // Sorted by UTF-16 code units, like Java's TreeMap.
  for (const name of Object.keys(fields).sort()) hmac.update(fields[name] ?? '');
  if (request.body !== undefined) hmac.update(request.body);
  return { ...request, fields: { ...fields, Signature: hmac.digest('base64') } };
}
