import { Component } from 'preact';
import type { ComponentChild, FunctionComponent } from 'preact';

/** A component that is drawn again only where `same` says that its properties differ. */
export function memo<P extends object>(
  Inner: FunctionComponent<P>,
  same: (before: P, after: P) => boolean
) {
  return class Memo extends Component<P> {
    override shouldComponentUpdate(next: P): boolean {
      return !same(this.props, next);
    }

    override render(): ComponentChild {
      return <Inner {...(this.props as P)} />;
    }
  };
}
