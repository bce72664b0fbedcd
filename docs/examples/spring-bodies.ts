import { defineTopic, exactJsonCodec } from 'nestjs-rocketmq';
import { z } from 'zod';

/** long: a `bigint` beyond 2^53, a number below. `z.coerce.bigint()` would also take `""`, `true` and `[]`. */
const javaLong = z.union([z.bigint(), z.int().transform(BigInt)]);

/** java.util.Date: milliseconds since 1970. */
const javaDate = z
  .int()
  .transform((ms) => new Date(ms))
  .pipe(z.date());

/** Instant, OffsetDateTime, ZonedDateTime: seconds since 1970, with up to nine decimal places. */
const javaInstant = z
  .number()
  .transform((seconds) => new Date(Math.round(seconds * 1_000)))
  .pipe(z.date());

/** LocalDateTime: year, month, day, hour, minute, and second and nanosecond unless they are 0. Its zone is not in the message. */
const javaLocalDateTime = (offset: string) =>
  z
    .array(z.int().nonnegative())
    .min(5)
    .max(7)
    .transform(([year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, nanosecond = 0]) => {
      const two = (part: number) => String(part).padStart(2, '0');
      const ms = String(Math.floor(nanosecond / 1_000_000)).padStart(3, '0');
      const date = `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}`;
      return new Date(`${date}T${two(hour)}:${two(minute)}:${two(second)}.${ms}${offset}`);
    })
    .pipe(z.date());

export const ParcelShipped = defineTopic('parcel-shipped', {
  type: 'normal',
  // Keeps every digit of a `long`.
  codec: exactJsonCodec({ largeIntegers: 'bigint' }),
  schema: z.object({
    parcelId: javaLong,
    createdAt: javaDate,
    shippedAt: javaInstant,
    // Java writes a missing value as null, which `z.coerce.date()` would read as 1970.
    deliveredAt: javaInstant.nullable(),
    pickedUpAt: javaLocalDateTime('+05:00'),
  }),
});
