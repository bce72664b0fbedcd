import { describe, expect, it } from '@jest/globals';
import { exposition } from './exposition.js';

describe('the text format of metrics', () => {
  it('has HELP and TYPE before the samples, and escapes', () => {
    const text = exposition(
      [
        {
          name: 'a_total',
          help: 'back\\slash and\nline',
          type: 'counter',
          samples: [
            { labels: { topic: 'a"b\\c\nd' }, value: 1 },
            { labels: {}, value: Number.POSITIVE_INFINITY },
          ],
        },
        { name: 'b', help: 'none', type: 'gauge', samples: [] },
      ],
      { node_id: 'n' },
    );
    expect(text).toBe(
      [
        '# HELP a_total back\\\\slash and\\nline',
        '# TYPE a_total counter',
        'a_total{node_id="n",topic="a\\"b\\\\c\\nd"} 1',
        'a_total{node_id="n"} +Inf',
        '# HELP b none',
        '# TYPE b gauge',
        '',
      ].join('\n'),
    );
  });
});
