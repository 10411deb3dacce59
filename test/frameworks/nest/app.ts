// An application of Nest with gateways on Portal, for nest.test.ts: it prints a line of JSON for each thing that happens.

import 'reflect-metadata';
import {
  type ArgumentsHost,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Get,
  Module,
  ParseIntPipe,
  UseFilters,
  UseGuards,
  type WebSocketAdapter,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import {
  ConnectedSocket,
  MessageBody,
  type OnGatewayConnection,
  type OnGatewayDisconnect,
  type OnGatewayInit,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
  WsException,
  type WsResponse,
} from '@nestjs/websockets';
import type { CloseReport, Path } from 'portal-ws';
import { type GatewayConnection, type GatewayOptions, PortalAdapter } from 'portal-ws/nest';
import { concat, from, map, NEVER, Observable, of, throwError } from 'rxjs';

const tell = (what: object) => console.log(JSON.stringify(what));

type User = { readonly name: string };
type Peer = GatewayConnection<User>;

class OnlyAda implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToWs().getClient<Peer>().data.name === 'Ada';
  }
}

@Catch()
class Rethrow implements ExceptionFilter {
  catch(error: unknown, _host: ArgumentsHost): never {
    throw error;
  }
}

/** Nest gives the options of one of the gateways of a path to the adapter, so all of them have the same. */
const events: GatewayOptions<User> = {
  path: '/events',
  subprotocols: ['events.v1'],
  authorize: ({ query }) => {
    const name = query.get('name');
    return name === null ? { status: 401, body: 'Who are you?\n' } : { data: { name } };
  },
};

@WebSocketGateway(events)
class EventsGateway implements OnGatewayInit<Path>, OnGatewayConnection<Peer>, OnGatewayDisconnect<Peer> {
  @WebSocketServer() path!: Path;

  afterInit(path: Path) {
    tell({ init: path.pattern });
  }
  handleConnection({ data }: Peer) {
    tell({ connected: data.name });
  }
  handleDisconnect({ data, signal }: Peer, reason?: string) {
    const { code } = signal.reason as CloseReport;
    tell({ disconnected: data.name, code, reason });
  }

  @SubscribeMessage('value')
  value(@MessageBody() data: unknown): unknown {
    return data;
  }
  @SubscribeMessage('promise')
  async promise(@MessageBody('text') text: string): Promise<WsResponse<string>> {
    return { event: 'kept', data: text.toUpperCase() };
  }
  @SubscribeMessage('numbers')
  numbers(): Observable<WsResponse<number>> {
    return from([1, 2, 3]).pipe(map((data) => ({ event: 'number', data })));
  }
  @SubscribeMessage('endless')
  endless(): Observable<string> {
    return new Observable((subscriber) => {
      subscriber.next('first');
      return () => tell({ unsubscribed: 'endless' });
    });
  }
  @SubscribeMessage('nothing')
  nothing(): void {}
  @SubscribeMessage('who')
  who(@ConnectedSocket() { data, path, transport }: Peer) {
    return { name: data.name, path, transport };
  }
  @SubscribeMessage('all')
  all(@MessageBody() data: unknown): void {
    this.path.broadcast(JSON.stringify({ event: 'told', data }));
  }

  @SubscribeMessage('integer')
  integer(
    @MessageBody(new ParseIntPipe({ exceptionFactory: (text) => new WsException(text) })) data: number,
  ) {
    return data + 1;
  }
  @UseGuards(new OnlyAda())
  @SubscribeMessage('guarded')
  guarded() {
    return 'secret';
  }
  @SubscribeMessage('refuse')
  refuse() {
    throw new WsException({ why: 'because' });
  }
  @SubscribeMessage('refuse-later')
  refuseLater() {
    return concat(
      of('a value'),
      throwError(() => new WsException('no more')),
    );
  }
  @UseFilters(new Rethrow())
  @SubscribeMessage('break')
  break() {
    return throwError(() => new Error('a bug'));
  }
}

@WebSocketGateway(events)
class MoreEventsGateway {
  @SubscribeMessage('more')
  more(): string {
    return 'of the second gateway';
  }
}

const ownPort = Number(process.env.OWN_PORT);

@WebSocketGateway(ownPort, { path: 'own' })
class OwnPortGateway {
  @SubscribeMessage('value')
  value(@MessageBody() data: unknown, @ConnectedSocket() { transport }: GatewayConnection) {
    return [data, transport];
  }
  @SubscribeMessage('endless')
  endless(): Observable<never> {
    return NEVER;
  }
}

@Controller()
class PageController {
  @Get()
  page(): string {
    return 'a page\n';
  }
}

@Module({ controllers: [PageController], providers: [EventsGateway, MoreEventsGateway, OwnPortGateway] })
class AppModule {}

const http = process.env.HTTP === 'fastify' ? new FastifyAdapter() : new ExpressAdapter();
const app = await NestFactory.create(AppModule, http, { logger: false });
const adapter: WebSocketAdapter<Path, GatewayConnection, GatewayOptions> = new PortalAdapter(app, {
  host: '127.0.0.1',
});
app.useWebSocketAdapter(adapter);

await app.listen(0, '127.0.0.1');
for (const server of (adapter as PortalAdapter).servers.values()) {
  server.errors$.subscribe(({ error }) => tell({ error: String(error) }));
}
tell({ port: app.getHttpServer().address().port });

process.stdin.once('data', async () => {
  await app.close();
  tell({ closed: true });
  process.stdin.destroy();
});
