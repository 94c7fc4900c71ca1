// Time as it passes, for what says how long ago.

class Clock {
  now = $state(Date.now());

  constructor() {
    setInterval(() => (this.now = Date.now()), 30_000);
  }
}

export const clock = new Clock();

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_556_952],
  ["month", 2_629_746],
  ["week", 604_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** `3 minutes ago`. */
export function ago(iso: string, now: number): string {
  const seconds = (Date.parse(iso) - now) / 1000;
  for (const [unit, length] of UNITS) {
    if (Math.abs(seconds) >= length) return relative.format(Math.round(seconds / length), unit);
  }
  return "just now";
}

// Made once: making one takes longer than writing a hundred moments with it.
const local = new Intl.DateTimeFormat("en", { dateStyle: "long", timeStyle: "long" });

/** The moment itself, in UTC and where the person is. */
export function exact(iso: string): string {
  return `${iso} (${local.format(new Date(iso))})`;
}
