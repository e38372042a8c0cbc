export { MemoryStore } from '../../stores/memory.store.js';
