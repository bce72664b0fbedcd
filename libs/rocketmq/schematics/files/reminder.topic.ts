import { defineTopic } from 'nestjs-rocketmq';

// Send with it and listen to it: it types both. A schema validates, too.
export const Reminder = defineTopic<{ id: string }>('reminder', {
  type: 'delay',
});
