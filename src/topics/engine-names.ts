/**
 * What topics are called in engines: a name space, which separates programs that share one engine, and the topic.
 */
import { hash } from 'node:crypto';

/** Bytes that a server of NATS takes for a subject safely: a line of its protocol has up to 4096. */
const MAX_SUBJECT_BYTES = 1024;

/** @throws RangeError for what could be taken for a part of a topic. */
export function checkNamespace(namespace: unknown = 'portal'): string {
  if (typeof namespace === 'string' && /^[\w-]{1,64}$/.test(namespace)) return namespace;
  const allowed = '1 to 64 letters, digits, "_" and "-"';
  throw new RangeError(`option namespace is ${JSON.stringify(namespace)}; allowed is ${allowed}`);
}

/**
 * The subject of a topic in NATS: the dots of the topic separate its tokens, so permissions such as `portal.room.>` work, and all
 * that NATS does not take as it is, is percent-encoded. An empty token is `%`. A name that is too long for a subject is named by
 * its SHA-256.
 */
export function subjectOf(namespace: string, topic: string): string {
  const subject = `${namespace}.${topic.split('.').map(tokenOf).join('.')}`;
  if (subject.length <= MAX_SUBJECT_BYTES) return subject;
  return `${namespace}.%long.${hash('sha256', topic, 'hex')}`;
}

function tokenOf(text: string): string {
  return text === '' ? '%' : encodeURIComponent(text).replaceAll('*', '%2A');
}

/** The channel of a topic where a name may be anything: in Redis, and between workers. */
export function channelOf(namespace: string, topic: string): string {
  return `${namespace}:${topic}`;
}

/** The topic of such a channel. */
export function topicOf(namespace: string, channel: string): string {
  return channel.slice(namespace.length + 1);
}
