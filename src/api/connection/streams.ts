/**
 * Observables that are hot, made only when somebody asks, and safe to subscribe to: what a subscriber throws, or the
 * promise that it returns rejects with, fails the connection it was handling, not the process.
 */
import { Observable, type Observer, type Operator, Subject, type Subscriber, type Subscription } from 'rxjs';
import { isThenable } from '../../connection/is-thenable.ts';

type Guard = (error: unknown, value: unknown) => void;

/** Where the errors of subscribers go. */
interface Source {
  /** The value that is being handed to subscribers now. */
  readonly handling: unknown;
  readonly guard: Guard;
}

/** The stream that is handing out a value: it may reach a subscriber of another, as by `mergeMap`. */
let speaking: Source | undefined;

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
    // A Subscriber is an operator's inner end: its own consumer is guarded where that subscribes.
    if (observerOrNext instanceof Object && 'isStopped' in observerOrNext)
      return super.subscribe(observerOrNext);
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
        try {
          const result = callback?.call(observer, value);
          if (!isThenable(result)) return;
          Promise.resolve(result).then(undefined, (error: unknown) => guard(error, handling));
        } catch (error) {
          guard(error, handling);
        }
      };
    const operatorFailed = (error: unknown) => {
      const { guard, handling } = speaking ?? source;
      guard(error, handling);
    };
    return {
      next: safely(observer.next),
      // An operator that threw comes here as an error of the stream.
      error: observer.error ? safely(observer.error) : operatorFailed,
      complete: safely(observer.complete as (() => void) | undefined) as () => void,
    };
  }
}

/** A hot stream: values go to whoever is subscribed at the time. With `present`, a subscriber first gets that value. */
export class Stream<T> implements Source {
  readonly guard: Guard;
  handling: T | undefined;
  readonly #present: (() => T | undefined) | undefined;
  #subject: Subject<T> | undefined;
  #observable: GuardedObservable<T> | undefined;
  #completed = false;

  constructor(guard: Guard, present?: () => T | undefined) {
    this.guard = guard;
    this.#present = present;
  }

  get observed(): boolean {
    return this.#subject?.observed === true;
  }

  get completed(): boolean {
    return this.#completed;
  }

  next(value: T): void {
    const subject = this.#subject;
    if (subject === undefined) return;
    // A subscriber may make this stream speak again, or another.
    const outer = speaking;
    const outerValue = this.handling;
    speaking = this;
    this.handling = value;
    subject.next(value);
    this.handling = outerValue;
    speaking = outer;
  }

  complete(): void {
    this.#completed = true;
    this.#subject?.complete();
  }

  /** The stream as users see it. After its end, a subscription completes at once. */
  get observable(): Observable<T> {
    this.#observable ??= new GuardedObservable<T>(this, (subscriber) => {
      const present = this.#present?.();
      if (present !== undefined) subscriber.next(present);
      if (this.#completed) {
        subscriber.complete();
        return undefined;
      }
      this.#subject ??= new Subject<T>();
      const subscription = this.#subject.subscribe(subscriber);
      return () => subscription.unsubscribe();
    });
    return this.#observable;
  }
}
