// The entries that the page holds, each in the newest state it was told.
import { computed, shallowReactive } from "vue";
import type { Action, Entry, Item } from "./api";

export class Entries {
  private readonly bySeq = shallowReactive(new Map<number, Entry>());
  private readonly removed = new Set<number>();
  private marker = { seq: 0, at: "" };

  readonly newestFirst = computed(() => [...this.bySeq.values()].sort((a, b) => b.seq - a.seq));

  get(seq: number): Entry | undefined {
    return this.bySeq.get(seq);
  }

  get newest(): number {
    return this.newestFirst.value[0]?.seq ?? 0;
  }

  /** Take an item in. History may come later than the stream that ran ahead of it, so the higher rev wins. */
  keep(item: Item): void {
    if (item.kind === "entry") this.keepEntry(item);
    else if (item.kind === "removed") this.drop(item.seq);
    else this.markUpTo(item.seq, item.at);
  }

  drop(seq: number): void {
    this.removed.add(seq);
    this.bySeq.delete(seq);
  }

  markRead(seq: number): void {
    const entry = this.bySeq.get(seq);
    if (entry?.read_at === null) this.bySeq.set(seq, { ...entry, read_at: new Date().toISOString() });
  }

  answer(seq: number, { key, value }: Action): void {
    const entry = this.bySeq.get(seq);
    if (entry) this.bySeq.set(seq, { ...entry, answers: { ...entry.answers, [key]: value } });
  }

  markUpTo(seq: number, at: string): void {
    if (seq > this.marker.seq) this.marker = { seq, at };
    for (const entry of this.bySeq.values()) {
      if (entry.seq <= seq && entry.read_at === null) this.bySeq.set(entry.seq, { ...entry, read_at: at });
    }
  }

  clear(): void {
    this.bySeq.clear();
    this.removed.clear();
  }

  private keepEntry(entry: Entry): void {
    const known = this.bySeq.get(entry.seq);
    if (this.removed.has(entry.seq) || (known !== undefined && known.rev > entry.rev)) return;
    const read = entry.read_at ?? known?.read_at ?? (entry.seq <= this.marker.seq ? this.marker.at : null);
    this.bySeq.set(entry.seq, { ...entry, read_at: read });
  }
}

export function isUnread(entry: Entry): boolean {
  return entry.direction === "in" && entry.read_at === null && entry.recalled_at === null;
}

/** Whether an entry holds these words, as far as the page can see; the server decides for what it has not loaded. */
export function holds(entry: Entry, words: string): boolean {
  const wanted = words.toLowerCase();
  return [entry.title, entry.text, entry.body, entry.sender.name].some((part) => part.toLowerCase().includes(wanted));
}
