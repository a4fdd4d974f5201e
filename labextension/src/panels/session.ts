/** What panels of one page that talk to the same server have in common. */

import { Api } from './api';
import type { Connection } from './api';
import { eventsUrl, sharedStream } from './events';
import { Store } from './store';

const stores = new Map<string, Store>();

/** The page's store for a server; shared, so that a record is fetched and updated once. */
export function storeFor(connection: Connection): Store {
  const key = `${connection.baseUrl}\n${connection.token ?? ''}`;
  let store = stores.get(key);
  if (!store) {
    const stream = sharedStream(eventsUrl(connection.baseUrl, connection.token));
    store = new Store(new Api(connection), stream);
    stores.set(key, store);
  }
  return store;
}
