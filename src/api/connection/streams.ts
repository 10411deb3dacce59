/**
 * Observables that are hot, made only when somebody asks, and safe to subscribe to: what a subscriber throws, or the
 * promise that it returns rejects with, fails the connection it was handling, not the process.
 */

import { Observable, type Observer, type Operator, type Subscriber, type Subscription } from 'rxjs';
import { isThenable } from '../../io/values.ts';
import { SubscriberError } from '../errors.ts';
import { catchUnhandled } from './rxjs-errors.ts';

type Guard = (error: unknown, value: unknown) => void;

/** Where the errors of subscribers go. */
interface Source {
  /** The value that is being handed to subscribers now. */
  readonly handling: unknown;
  readonly guard: Guard;
  /** An error of an operator has ended a subscriber. `isHandled`: it has an `error` callback, so it knows. */
  ended(cause: unknown, isHandled: boolean): void;
  /** A subscriber has gone; an error of this moment may be why. */
  lost(): void;
}

/** The stream that is handing out a value: it may reach a subscriber of another, as by `mergeMap`. */
let speaking: Source | undefined;
/** Streams that have lost a subscriber while the outermost one hands out a value. */
const losers = new Set<{ endedBy: SubscriberError | undefined }>();
/** Why, where it was an error. */
let reason: SubscriberError | undefined;

/** Deliveries so far. A subscriber gets what is delivered after it has come, so each remembers this number. */
let deliveries = 0;

/** Begins a delivery. Who subscribes from now on does not get what is delivered, to whichever streams it is given. */
export function beginDelivery(): number {
  deliveries++;
  return deliveries;
}

/** An operator's inner end, or what `firstValueFrom` makes. A Subject is none. */
const isSubscriber = (observer: unknown): boolean =>
  observer instanceof Object && 'isStopped' in observer && 'add' in observer;

/**
 * An Observable whose subscribers' errors, and those of operators piped from it, go to the guard with the value of the
 * source that was being handled. RxJS itself would throw them from a timer and end the process.
 */
export class GuardedObservable<T> extends Observable<T> {
  readonly #source: Source;

  constructor(
    source: Source,
    subscribe?: (this: Observable<T>, subscriber: Subscriber<T>) => undefined | (() => void),
  ) {
    super(subscribe);
    this.#source = source;
  }

  /** Piped operators stay under the guard. RxJS calls this for every operator. */
  override lift<R>(operator?: Operator<T, R>): Observable<R> {
    const lifted = new GuardedObservable<R>(this.#source);
    lifted.source = this;
    lifted.operator = operator as Operator<unknown, R>;
    return lifted;
  }

  override subscribe(
    observerOrNext?: Partial<Observer<T>> | ((value: T) => void) | null,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription {
    // The consumer of an operator's inner end is guarded where that subscribes, or by the stream that speaks.
    if (isSubscriber(observerOrNext)) return super.subscribe(observerOrNext as Observer<T>);
    const partial: Partial<Observer<T>> =
      typeof observerOrNext === 'function' || observerOrNext == null
        ? {
            ...(observerOrNext ? { next: observerOrNext } : {}),
            ...(error ? { error } : {}),
            ...(complete ? { complete } : {}),
          }
        : observerOrNext;
    return super.subscribe(this.#guarded(partial));
  }

  #guarded(observer: Partial<Observer<T>>): Partial<Observer<T>> {
    const source = this.#source;
    const safely =
      <V>(callback: ((value: V) => unknown) | undefined) =>
      (value: V) => {
        const { guard, handling = value } = speaking ?? source;
        // A Subject may lose its own subscribers.
        const { observed } = observer as { observed?: boolean };
        const unhandled = catchUnhandled(() => {
          try {
            const result = callback?.call(observer, value);
            if (!isThenable(result)) return;
            Promise.resolve(result).then(undefined, (error: unknown) => guard(error, handling));
          } catch (error) {
            guard(error, handling);
          }
        });
        const isLost = observed === true && !(observer as { observed?: boolean }).observed;
        if (isLost) source.lost();
        if (unhandled === undefined) return;
        guard(unhandled.error, handling);
        if (isLost) source.ended(unhandled.error, false);
      };
    const { error: handle } = observer;
    const operatorFailed = (error: unknown) => {
      if (handle !== undefined) safely(handle)(error);
      else {
        const { guard, handling } = speaking ?? source;
        guard(error, handling);
      }
      source.ended(error, handle !== undefined);
    };
    return {
      next: safely(observer.next),
      // An operator that threw comes here as an error of the stream.
      error: operatorFailed,
      complete: safely(observer.complete as (() => void) | undefined) as () => void,
    };
  }
}

/** What a stream may have beside its guard. */
export interface StreamTraits {
  /** As its user writes it, such as `messages$`. */
  readonly name?: string;
  /** The path whose stream it is; undefined for the server's. */
  readonly path?: () => string | undefined;
  /** An error has ended a subscriber, which nobody knows yet. */
  readonly ended?: (error: SubscriberError) => void;
  /** Somebody subscribes while nobody did; returns what is called when nobody does any more. */
  readonly listening?: () => () => void;
}

interface Listener<T> {
  readonly subscriber: Subscriber<T>;
  /** It gets what is delivered after this delivery. */
  readonly since: number;
}

/** A hot stream: values go to whoever is subscribed at the time. With `present`, a subscriber first gets that value. */
export class Stream<T> implements Source {
  readonly guard: Guard;
  handling: T | undefined;
  /** Why its last subscriber has ended, where that was an error. */
  endedBy: SubscriberError | undefined;
  readonly #present: (() => T | undefined) | undefined;
  readonly #traits: StreamTraits;
  #listeners: Set<Listener<T>> | undefined;
  #observable: GuardedObservable<T> | undefined;
  #completed = false;
  /** Called when nobody subscribes any more. */
  #left: (() => void) | undefined;

  constructor(guard: Guard, present?: () => T | undefined, traits: StreamTraits = {}) {
    this.guard = guard;
    this.#present = present;
    this.#traits = traits;
  }

  get observed(): boolean {
    return this.#listeners !== undefined && this.#listeners.size > 0;
  }

  get completed(): boolean {
    return this.#completed;
  }

  /** Hands out a value, to those who had subscribed when its delivery began. */
  next(value: T, delivery = beginDelivery()): void {
    const listeners = this.#listeners;
    if (listeners === undefined || listeners.size === 0) return;
    const outerValue = this.handling;
    this.handling = value;
    this.#speak(() => {
      for (const { subscriber, since } of listeners) if (since < delivery) subscriber.next(value);
    });
    this.handling = outerValue;
  }

  complete(): void {
    this.#completed = true;
    const listeners = this.#listeners;
    if (listeners === undefined || listeners.size === 0) return;
    this.#listeners = undefined;
    this.#speak(() => {
      for (const { subscriber } of listeners) subscriber.complete();
    });
  }

  /** A subscriber may make this stream speak again, or another. */
  #speak(run: () => void): void {
    const outer = speaking;
    speaking = this;
    const unhandled = catchUnhandled(run);
    if (unhandled !== undefined) {
      this.guard(unhandled.error, this.handling);
      if (losers.has(this)) this.ended(unhandled.error, false);
    }
    speaking = outer;
    if (outer === undefined) explainLosses();
  }

  ended(cause: unknown, isHandled: boolean): void {
    const { name = 'a stream', path, ended } = this.#traits;
    const error = new SubscriberError(name, path?.(), cause);
    this.endedBy = error;
    if (speaking !== undefined) reason = error;
    if (!isHandled) ended?.(error);
  }

  lost(): void {
    if (speaking !== undefined) losers.add(this);
  }

  /** The stream as users see it. After its end, a subscription completes at once. */
  get observable(): Observable<T> {
    this.#observable ??= new GuardedObservable<T>(this, (subscriber) => this.#subscribed(subscriber));
    return this.#observable;
  }

  #subscribed(subscriber: Subscriber<T>): undefined | (() => void) {
    const present = this.#present?.();
    if (present !== undefined || this.#completed) {
      this.#speak(() => {
        if (present !== undefined) subscriber.next(present);
        if (this.#completed) subscriber.complete();
      });
    }
    if (this.#completed || subscriber.closed) return undefined;
    const listener = { subscriber, since: deliveries };
    const listeners = this.#listeners ?? new Set<Listener<T>>();
    this.#listeners = listeners;
    listeners.add(listener);
    this.endedBy = undefined;
    if (listeners.size === 1) this.#left = this.#traits.listening?.();
    return () => {
      listeners.delete(listener);
      this.lost();
      if (listeners.size > 0) return;
      this.#left?.();
      this.#left = undefined;
    };
  }
}

/** An error that ends a subscriber to several streams ends it for all of them. */
function explainLosses(): void {
  const error = reason;
  reason = undefined;
  if (losers.size === 0) return;
  if (error !== undefined) for (const stream of losers) stream.endedBy ??= error;
  losers.clear();
}
