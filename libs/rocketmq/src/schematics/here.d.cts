/** The folder of this file. */
export declare const here: string;
