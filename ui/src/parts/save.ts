/** Hands a file to the browser to be saved. */
export function save(content: Blob, name: string): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The download has begun when the click returns; a minute is for slow disks.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
