// A process that sells one seat, and kills itself at the checkpoint that it is given, as if by a power cut.
import { NestFactory } from '@nestjs/core';
import { withCheckpoints } from 'nestjs-rocketmq/testing';
import { BoxOffice, BoxOfficeModule } from './box-office.js';

const [endpoints = '', folder = '', deadlyPoint = ''] = process.argv.slice(2);
const options = withCheckpoints({ endpoints }, (point) => {
  if (point === deadlyPoint) process.kill(process.pid, 'SIGKILL');
});
const module = await BoxOfficeModule.open(folder, options);
const app = await NestFactory.createApplicationContext(module, { logger: false });
await app.get(BoxOffice).sell('12A');
