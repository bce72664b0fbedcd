// The process of order-demo.

import 'reflect-metadata';
import { launch } from 'demo-kit';
import { createOrderDemo } from './app.js';
import { optionsOf } from './options.js';

await launch('order-demo', process.env, optionsOf, createOrderDemo);
