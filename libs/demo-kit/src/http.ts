// What both demos answer over HTTP when a request is wrong or the broker is away.

import {
  type ArgumentsHost,
  BadRequestException,
  Catch,
  type ExceptionFilter,
  Logger,
  ValidationPipe,
} from '@nestjs/common';
import { RocketMQError } from 'nestjs-rocketmq';

/** A 400 that names the field. */
export function badField(field: string, message: string): BadRequestException {
  return new BadRequestException({ statusCode: 400, error: 'Bad Request', field, message });
}

/** Validates bodies by their DTO class; what does not fit is a 400 that names the first wrong field. */
export function requestValidation(): ValidationPipe {
  return new ValidationPipe({
    whitelist: true,
    forbidNonWhitelisted: true,
    exceptionFactory: ([first]) => {
      const problem = Object.values(first?.constraints ?? {})[0];
      return badField(first?.property ?? 'body', problem ?? 'the body is not valid');
    },
  });
}

interface JsonResponse {
  status(statusCode: number): { json(body: unknown): unknown };
}

/** Turns what the broker refused, or could not be asked, into a 503 that says whether it took effect. For controllers. */
@Catch(RocketMQError)
export class BrokerErrorFilter implements ExceptionFilter<RocketMQError> {
  private readonly logger = new Logger(BrokerErrorFilter.name);

  catch({ code, message, outcome, retryable }: RocketMQError, host: ArgumentsHost): void {
    this.logger.warn(message);
    const body = { statusCode: 503, error: 'Service Unavailable', code, message, outcome, retryable };
    host.switchToHttp().getResponse<JsonResponse>().status(503).json(body);
  }
}
