/**
 * Observables that are hot, made only when somebody asks, and safe to subscribe to: what a subscriber throws fails
 * the connection it was handling, not the process.
 */
import { Observable, type Observer, type Operator, Subject, type Subscriber, type Subscription } from 'rxjs';

type Guard = (error: unknown, value: unknown) => void;

/**
 * An Observable whose subscribers' errors, and those of operators piped from it, go to `guard` with the value that
 * was being handled. RxJS itself would throw them from a timer and end the process.
 */
export class GuardedObservable<T> extends Observable<T> {
  readonly #guard: Guard;

  constructor(
    guard: Guard,
    subscribe?: (this: Observable<T>, subscriber: Subscriber<T>) => undefined | (() => void),
  ) {
    super(subscribe);
    this.#guard = guard;
  }

  /** Piped operators stay under the guard. RxJS calls this for every operator. */
  override lift<R>(operator?: Operator<T, R>): Observable<R> {
    const lifted = new GuardedObservable<R>(this.#guard);
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
    const guard = this.#guard;
    const safely =
      <V>(callback: ((value: V) => void) | undefined) =>
      (value: V) => {
        try {
          callback?.call(observer, value);
        } catch (error) {
          guard(error, value);
        }
      };
    return {
      next: safely(observer.next),
      // An operator that threw comes here as an error of the stream.
      error: observer.error ? safely(observer.error) : (error) => guard(error, undefined),
      complete: safely(observer.complete as (() => void) | undefined) as () => void,
    };
  }
}

/** A hot stream: values go to whoever is subscribed at the time. With `present`, a subscriber first gets that value. */
export class Stream<T> {
  readonly #guard: Guard;
  readonly #present: (() => T | undefined) | undefined;
  #subject: Subject<T> | undefined;
  #observable: GuardedObservable<T> | undefined;
  #completed = false;

  constructor(guard: Guard, present?: () => T | undefined) {
    this.#guard = guard;
    this.#present = present;
  }

  get observed(): boolean {
    return this.#subject?.observed === true;
  }

  next(value: T): void {
    this.#subject?.next(value);
  }

  complete(): void {
    this.#completed = true;
    this.#subject?.complete();
  }

  /** The stream as users see it. After its end, a subscription completes at once. */
  get observable(): Observable<T> {
    this.#observable ??= new GuardedObservable<T>(this.#guard, (subscriber) => {
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
