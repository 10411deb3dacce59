// Typed messages, as users meet them. `npm run types` is the judge; nothing here is ever called.

import type { Observable } from 'rxjs';
import * as v from 'valibot';
import { expectTypeOf } from 'vitest';
import { z } from 'zod';
import {
  type Codec,
  createServer,
  type EncodedMessage,
  json,
  type Message,
  type ParamsOf,
  type Path,
  prepare,
  type Received,
  type Server,
} from '../../../src/index.ts';

type Order = { id: number; note?: string | undefined };
type Receipt = { ok: boolean };

const zodOrder = z.object({ id: z.number(), note: z.string().optional() });
const valibotOrder = v.object({
  id: v.number(),
  at: v.pipe(
    v.string(),
    v.transform((text) => new Date(text)),
  ),
});

export function aSchemaTypesHandlersAndStreams(server: Server) {
  const path = server.path('/orders/:shop', {
    codec: zodOrder,
    onInvalid: 'error',
    onOpen: (connection) => expectTypeOf(connection.messages$).toEqualTypeOf<Observable<Order>>(),
    async onMessage(connection, order) {
      expectTypeOf(order).toEqualTypeOf<Order>();
      expectTypeOf(connection.params).toEqualTypeOf<{ readonly shop: string }>();
      connection.send(order);
      connection.send(prepare('as it is'));
      // @ts-expect-error an order has an id
      connection.send({ note: 'none' });
      // @ts-expect-error a plain text is no order
      connection.send('text');
      for await (const each of connection) expectTypeOf(each).toEqualTypeOf<Order>();
    },
  });
  expectTypeOf(path).toEqualTypeOf<Path<undefined, { readonly shop: string }, Order, Order>>();
  expectTypeOf(path.messages$).toEqualTypeOf<
    Observable<Received<undefined, { readonly shop: string }, Order, Order>>
  >();
  path.broadcast({ id: 1 });
  // @ts-expect-error not an order
  path.broadcast({ ok: true });
}

export function whatComesInAndWhatGoesOutMayDiffer(server: Server) {
  server.path('/dates', {
    codec: valibotOrder,
    onMessage(connection, order) {
      expectTypeOf(order).toEqualTypeOf<{ id: number; at: Date }>();
      connection.send({ id: 1, at: '2026-01-01' });
      // @ts-expect-error a date is sent as the schema takes it, as text
      connection.send(order);
    },
  });
  server.path('/receipts', {
    codec: json(zodOrder, z.object({ ok: z.boolean() })),
    onMessage(connection, order) {
      expectTypeOf(order).toEqualTypeOf<Order>();
      expectTypeOf(connection.send).parameter(0).toEqualTypeOf<Receipt | EncodedMessage>();
      connection.send({ ok: true });
      // @ts-expect-error an order is no receipt
      connection.send(order);
    },
  });
}

export function aCodecOfYourOwn(server: Server, codec: Codec<Order, Receipt>) {
  server.path('/own', {
    codec,
    onMessage(connection, order) {
      expectTypeOf(order).toEqualTypeOf<Order>();
      connection.send({ ok: true });
    },
  });
  server.path('/inline', {
    codec: { decode: async (message: Message) => message.length, encode: (value: boolean) => `${value}` },
    onMessage(connection, length) {
      expectTypeOf(length).toEqualTypeOf<number>();
      connection.send(true);
      // @ts-expect-error a boolean goes out
      connection.send(1);
    },
  });
  // @ts-expect-error half a codec
  server.path('/half', { codec: { decode: () => 1 } });
}

export function subprotocolsChoose(server: Server) {
  type User = { readonly name: string };
  server.path('/both', {
    authorize: (): { data: User } => ({ data: { name: 'ada' } }),
    codecs: { 'v1+json': z.object({ v: z.literal(1) }), 'v2+json': z.object({ v: z.literal(2) }) },
    onMessage({ data, subprotocol }, message) {
      expectTypeOf(data).toEqualTypeOf<User>();
      expectTypeOf(subprotocol).toEqualTypeOf<string>();
      expectTypeOf(message).toEqualTypeOf<{ v: 1 } | { v: 2 }>();
    },
  });
}

export function withoutACodecAllIsAsBefore(server: Server) {
  const path = server.path('/plain', {
    onMessage: (connection, message) => {
      expectTypeOf(message).toEqualTypeOf<Message>();
      connection.send(message);
    },
  });
  expectTypeOf(path).toEqualTypeOf<Path<undefined, ParamsOf<'/plain'>>>();
  createServer({
    port: 0,
    paths: {
      '/plain': { onMessage: (_connection, message) => expectTypeOf(message).toEqualTypeOf<Message>() },
      '/typed': { codec: zodOrder, onMessage: (_connection, order) => expectTypeOf(order).toBeUnknown() },
    },
  });
  // @ts-expect-error a codec is of a path
  createServer({ port: 0, codec: zodOrder });
}
