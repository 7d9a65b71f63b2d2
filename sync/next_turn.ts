/** Lets whatever else waits for the event loop go on before work of some length does. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
