// The filters of pulls, which are those of receives with other names.

import { FilterType } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import { AdminRejection } from '../admin/admin-answer.js';
import { Filters } from '../services/filters.js';
import { AnswerError } from '../services/status.js';

const SQL = 'SQL92';

type Filter = ReturnType<Filters['of']>;

export class PullFilters {
  private readonly filters = new Filters();

  /** Not a promise for tags, so that what a pull finds is that of the moment it came. @throws AdminRejection for one that cannot be read */
  of(expressionType: string, expression: string): Filter | Promise<Filter> {
    if (expressionType !== SQL) return this.read(FilterType.TAG, expression === '' ? '*' : expression);
    return this.filters.load().then(() => this.read(FilterType.SQL, expression));
  }

  private read(type: FilterType, expression: string): Filter {
    try {
      return this.filters.of({ type, expression });
    } catch (error) {
      if (!(error instanceof AnswerError)) throw error;
      throw new AdminRejection(RESPONSE_CODES.subscriptionParseFailed, error.message);
    }
  }
}
