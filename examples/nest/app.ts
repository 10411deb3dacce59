// Live prices from NestJS: a gateway's handler returns an observable, and who asked gets what it gives, for as long as they
// are connected.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessageBody, SubscribeMessage, WebSocketGateway, WsException } from '@nestjs/websockets';
import { PortalAdapter } from 'portal-ws/nest';
import { interval, map, type Observable, scan, share } from 'rxjs';

const { PORT = '5005', HOST = '127.0.0.1', EVERY_MS = '1000' } = process.env;

/** One source for all listeners. */
const prices = ['GOLD', 'TIN'].map((symbol): [string, Observable<string>] => [
  symbol,
  interval(Number(EVERY_MS)).pipe(
    scan((price) => price + Math.random() - 0.5, 100),
    map((price) => `${symbol} ${price.toFixed(2)}`),
    share(),
  ),
]);
const bySymbol = new Map(prices);

@WebSocketGateway({ path: '/prices' })
class PricesGateway {
  /** `{"event":"price","data":"GOLD"}` is answered by `{"event":"price","data":"GOLD 100.12"}`, again and again. */
  @SubscribeMessage('price')
  price(@MessageBody() symbol: string): Observable<string> {
    const price = bySymbol.get(symbol);
    if (price === undefined) throw new WsException(`there is no price of ${symbol}`);
    return price;
  }
}

@Module({ providers: [PricesGateway] })
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
app.useWebSocketAdapter(new PortalAdapter(app));
app.enableShutdownHooks();
await app.listen(PORT, HOST);
console.log(`listening on ws://${HOST}:${app.getHttpServer().address().port}/prices`);
