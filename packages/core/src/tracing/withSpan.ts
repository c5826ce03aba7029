import { Effect, Exit, Tracer } from "effect"

/**
 * `Effect.withSpan` for what happens with every entry. Where no tracer is installed nobody can see a span, and making one
 * costs more than a small handler does: there the effect runs without.
 *
 * @param attributes asked for only where there is a tracer
 */
export const withSpan = (
  name: string,
  attributes: () => Record<string, unknown>
): (<A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>) => {
  const traced = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withSpan(name, { attributes: attributes() }, { captureStackTrace: false })(effect) as Effect.Effect<A, E, R>
  return (effect) => Effect.flatMap(isTraced, (is) => (is ? traced(effect) : effect))
}

/** Whether there is a tracer. */
export const isTraced: Effect.Effect<boolean> = Effect.withFiber((fiber) =>
  Exit.succeed(fiber.getRef(Tracer.Tracer) !== Tracer.nativeTracer)
)
